"""The web app: core pages and the JSON API beside each of them."""
