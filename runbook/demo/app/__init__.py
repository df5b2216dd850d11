"""The application of the sandbox site: deployed as it stands into the site's folder."""
