"""The first five minutes of a new user, from the sign-up to the second factor."""

from uuid import uuid4

import pyotp
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.api_user import PASSWORD
from tests.support.browser import needs_chromium
from tests.support.web import Service
from tests.web.browser.client import Client, texts

pytestmark = needs_chromium

DATABASES = "const done = arguments[0]; indexedDB.databases().then((found) => done(found.length))"
RENT = "pay rent every month on the 1st #Home p1 tomorrow 9:00"


@pytest.mark.proves("WEB-20", "WEB-21")
def test_a_new_user_signs_up_plans_the_day_and_signs_out(
    browser: webdriver.Chrome, shared_service: Service
) -> None:
    client = Client(browser, shared_service)
    email = f"{uuid4().hex}@example.com"
    client.press_button("Create an account")
    client.write("input[type=email]", email)
    client.write("input[type=password]", "short")
    client.click(".entry button.primary")
    assert "8" in client.find(".entry .error").text
    client.write("input[type=password]", PASSWORD)
    client.click(".entry button.primary")
    nothing = "Nothing is due today. Enjoy it."
    client.until(lambda: client.find(".empty").text == nothing, "the page is not empty")

    # the quick add shows what it understood before Enter
    client.write("#quick-add", RENT)
    understood = client.find(".understood b").text
    chips = texts(client.find_all(".understood .chip"))
    assert understood == "pay rent"
    assert chips == ["Tomorrow 9:00 AM", "every month on the 1st", "p1", "new list “Home”"]
    client.press(Keys.ENTER)
    client.says("Added “pay rent”")
    client.add("buy milk #Home", "call Ana @phone")
    client.shows("buy milk", "call Ana")
    client.press_button("Upcoming")
    client.shows("pay rent")
    client.until(lambda: "Home" in texts(client.find_all(".nav-list .nav-text")), "no list")

    # done, and not done after all
    client.go("#/today")
    client.check("buy milk")
    client.shows("call Ana")
    client.undo()
    client.until(lambda: "buy milk" in client.titles(), "not undone")
    client.check("call Ana")
    client.shows("buy milk")
    client.saved()

    # the page is the same after a reload, and nothing of it is left after signing out
    client.browser.refresh()
    client.shows("buy milk")
    client.go("#/settings")
    client.press_button("Sign out")
    client.find("input[type=password]")
    client.until(lambda: browser.execute_async_script(DATABASES) == 0, "rows are left")
    client.until(
        lambda: browser.execute_script("return localStorage.length") == 0, "something is left"
    )
    browser.refresh()
    client.sign_in(email)
    client.go("#/today")
    client.shows("buy milk")
    # the console has the responses that were refused, as of the short password, and nothing else
    assert [each for each in client.errors() if "Failed to load resource" not in each] == []


@pytest.mark.proves("WEB-20")
def test_a_second_factor_is_set_up_and_asked_for(
    browser: webdriver.Chrome, shared_service: Service
) -> None:
    client = Client(browser, shared_service)
    email = f"{uuid4().hex}@example.com"
    client.sign_up(email)
    client.go("#/settings/security")
    factor = "section:nth-of-type(2)"
    client.labelled("Current password", factor).send_keys(PASSWORD)
    client.press_button("Set up")
    secret = client.find(".secret").text
    recovery_codes = texts(client.find_all(".codes li"))
    assert len(recovery_codes) == 10
    client.labelled("Code of the app").send_keys(pyotp.TOTP(secret).now())
    client.press_button("Switch on")
    client.says("The second factor is on.")
    client.go("#/settings/account")
    client.press_button("Sign out")

    client.write("input[type=email]", email)
    client.write("input[type=password]", PASSWORD)
    client.click(".entry button.primary")
    client.labelled("Code").send_keys("000000")
    client.click(".entry button.primary")
    assert client.find(".entry .error").text
    code = client.browser.find_element(By.CSS_SELECTOR, "[autocomplete=one-time-code]")
    code.clear()
    code.send_keys(recovery_codes[0])
    client.click(".entry button.primary")
    client.find("#sidebar")
