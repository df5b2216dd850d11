#!/bin/sh
# Run inside the image: webmagic, a FastAPI backend in a git checkout, with Celery, under supervisor.
set -eu

useradd --system --home-dir /var/www/webmagic --shell /usr/sbin/nologin webmagic
install -d -o webmagic -g webmagic /var/log/webmagic

# The history of the incident: a release that cannot be imported, its three corrections, two scripts.
# The checkout has it all; a test goes back to a commit to have the fault, and pulls to mend it.
cd /var/www/webmagic
git config --system user.name "WebMagic developers"
git config --system user.email developers@webmagic.example
git init --quiet --initial-branch main
mkdir /tmp/final
cp -r backend deploy_and_diagnose.sh /tmp/final/
rm deploy_and_diagnose.sh backend/test_imports.py
scrapes=backend/api/v1/endpoints/scrapes.py
sed -i 's/from api.deps/from core.auth/; s/\bAdminUser\b/User/g' $scrapes
sed -i '/scrape_session/d; s/, "ScrapeSession"//' backend/models/__init__.py

commit() {
  git add --all
  git commit --quiet --message "$1"
}
commit "Phase 2: scrapes with real-time progress"
sed -i 's/from core.auth/from api.deps/' $scrapes
commit "Fix auth import (api.deps)"
cp /tmp/final/$scrapes $scrapes
commit "Fix User model import (AdminUser)"
cp /tmp/final/backend/models/__init__.py backend/models/
commit "CRITICAL: Add ScrapeSession to models/__init__.py"
cp /tmp/final/backend/test_imports.py backend/
commit "Add import validation test script"
cp /tmp/final/deploy_and_diagnose.sh .
commit "Add deployment diagnostic script"
diff -r /tmp/final/backend backend
rm -r /tmp/final

git clone --quiet --bare . /srv/git/webmagic.git
git remote add origin /srv/git/webmagic.git
git fetch --quiet origin
git branch --quiet --set-upstream-to origin/main

python3 -m venv --system-site-packages backend/.venv

ln -s ../sites-available/webmagic /etc/nginx/sites-enabled/webmagic
cp /etc/nginx/sites-available/webmagic /etc/nginx/known-good/

create-database webmagic
