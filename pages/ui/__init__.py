"""What the pages share: the live chart, run cards, pickers, error handling. Only this package and the pages know of Streamlit."""
