"""ResNet Lab's app, for ``make app`` or ``streamlit run app.py``: Streamlit runs pages/front.py for each viewer.

That script stands in the folder of the pages: a folder named ``pages`` beside the script that runs is taken for Streamlit's older way of
multipage apps (1.67), which answers the first link to a page, in a server's life, with "Page not found".
"""

from streamlit import App

from pages.ui import door, life

app = App("pages/front.py", routes=door.ROUTES, middleware=door.MIDDLEWARE, lifespan=life.lifespan)
