"""A person at a browser, without the browser: follows redirects, keeps cookies, fills in the forms."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

# What the person presses: the first of these that the form has.
BUTTONS = ["sign_in", "allow", "yes"]
# More pages than any way through needs.
MOST_PAGES = 20


class Person:
    def __init__(self, issuer, username, password):
        self.host = urlsplit(issuer).netloc
        self.typed = {"username": username, "password": password}
        self.browser = requests.Session()

    def go_to(self, url):
        """Goes to an address and does what the pages ask for.

        Returns where it ended: at the application, or on a page that asks for nothing.
        """
        filled = None
        for _ in range(MOST_PAGES):
            if urlsplit(url).netloc != self.host:
                return url
            method = "GET" if filled is None else "POST"
            response = self.browser.request(method, url, data=filled, allow_redirects=False)
            if response.is_redirect:
                url, filled = urljoin(url, response.headers["location"]), None
                continue
            assert response.ok, f"{url} answered {response.status_code}: {response.text}"
            form = Form(response.text)
            if form.action is None:
                return url
            url, filled = urljoin(url, form.action), form.filled_in(self.typed)
        raise AssertionError(f"still no end at {url}")


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, html):
        super().__init__()
        self.action, self.fields, self.buttons, self.inside = None, {}, [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self.inside = attrs["action"], True
        elif tag == "input" and self.inside and attrs.get("type") != "checkbox":
            self.fields[attrs["name"]] = attrs.get("value", "")
        elif tag == "button" and self.inside and attrs.get("name") == "action":
            self.buttons.append(attrs["value"])

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False

    def filled_in(self, typed):
        fields = {name: typed.get(name, value) for name, value in self.fields.items()}
        pressed = [button for button in BUTTONS if button in self.buttons]
        return fields | {"action": pressed[0]} if pressed else fields
