# The app on CPUs. Written on a machine without docker: neither built nor run there; tests/test_container.py checks what can be without it.
#
#   docker compose up --build        the app on http://localhost:8501, its runs in a volume
#
# On x86-64 pip takes PyTorch with CUDA (about 6 GB). With TORCH_INDEX, the address of PyTorch's own index of CPU wheels (its "Get started"
# page tells it), it takes those: TORCH_INDEX=... docker compose up --build
FROM python:3.12-slim
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 RESNET_LAB_HOME=/runs
WORKDIR /src

# For the kernels of trainings on a CPU, which are compiled on the machine that they run on.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*

COPY requirements.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then PIP_INDEX_URL="$TORCH_INDEX" pip install $(grep -E '^(torch|torchvision)==' requirements.txt); fi \
    && pip install -r requirements.txt

COPY pyproject.toml README.md LICENSE app.py ./
COPY .streamlit ./.streamlit
COPY resnet_core ./resnet_core
COPY pages ./pages
COPY checkpoints ./checkpoints
RUN pip install --no-deps . && rm -rf /src/*

# The live chart's copy of plotly.js lies beside the pages, where the app itself may not write.
WORKDIR /
RUN cd "$(python -c 'from resnet_core.cli.start import app_folder; print(app_folder())')" \
    && python -c 'from pages.ui.plotly_js import publish; publish()'

RUN useradd --create-home lab && mkdir /runs && chown lab /runs
USER lab
VOLUME /runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health')"]
CMD ["resnet-lab", "app", "--host", "localhost", "--no-browser", "--port", "8501"]
