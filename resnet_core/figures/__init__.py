"""Records and arrays -> plotly figures. Nothing here knows of Streamlit, of runs or of nets in memory: figures take plain data."""
