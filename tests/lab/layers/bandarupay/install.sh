#!/bin/sh
# Run inside the image: bandarupay, a FastAPI backend in /opt started by `python main.py`.
set -eu

useradd --system --home-dir /opt/bandarupay --shell /usr/sbin/nologin bandarupay
install -d -o bandarupay -g bandarupay /var/log/bandarupay
python3 -m venv --system-site-packages /opt/bandarupay/backend-api/venv

ln -s ../sites-available/backend /etc/nginx/sites-enabled/backend
cp /etc/nginx/sites-available/backend /etc/nginx/known-good/

create-database bandarupay
