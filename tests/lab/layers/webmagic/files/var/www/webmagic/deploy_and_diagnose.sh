#!/bin/sh
# Deploy what is on main, and see whether it serves.
set -eu
cd "$(dirname "$0")"
git pull --quiet origin main
(cd backend && .venv/bin/python test_imports.py)
supervisorctl restart webmagic-api webmagic-celery
supervisorctl status
redis-cli ping
nginx -t
curl --silent --output /dev/null --write-out '%{http_code}\n' http://localhost:8000/api/v1/docs
