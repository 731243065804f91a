"""The built book in a real browser: Debian's Chromium, driven by Playwright, on a loopback port."""

import functools
import http.server
import shutil
import threading
from importlib.util import find_spec

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.skipif(find_spec("playwright") is None, reason="Playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

TYPESET = """async () => {
    await document.fonts.ready;
    if (window.MathJax) await MathJax.startup.promise;
    return {
        nodes: document.querySelectorAll('.math').length,
        drawn: document.querySelectorAll('.math mjx-container').length,
        errors: [...document.querySelectorAll('mjx-merror')].map(e => e.dataset.mjxError),
        images: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src),
    };
}"""

# What sticks out of the window unless something around it scrolls, what is cut off, and the
# formulas of which a part lies before the place where scrolling begins.
WIDER = """() => {
    const flow = e => getComputedStyle(e).overflowX;
    const scrolls = e => e && (/auto|scroll|hidden/.test(flow(e)) || scrolls(e.parentElement));
    const name = e => e.outerHTML.slice(0, 150);
    const wide = [...document.querySelectorAll('article *')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width > 0 && box.right > innerWidth + 1 && !scrolls(e.parentElement)
            && getComputedStyle(e).position !== 'absolute';
    });
    const kinds = '.math, .math > mjx-container, article pre, article table, .cell_output';
    const cut = [...document.querySelectorAll(kinds)].filter(
        e => e.clientWidth && e.scrollWidth > e.clientWidth + 1 && /hidden|clip/.test(flow(e)));
    const lost = [...document.querySelectorAll('.math')].filter(e => {
        const left = e.getBoundingClientRect().left;
        const glyphs = [...e.querySelectorAll('mjx-c')];
        return glyphs.some(c => c.getBoundingClientRect().left < left - 2);
    });
    const first = found => found.slice(0, 5).map(name);
    return {page: Math.max(0, document.documentElement.scrollWidth - innerWidth),
            wide: first(wide), cut: first(cut), lost: first(lost)};
}"""

# Text whose contrast with what is behind it is below the WCAG's level AA.
FAINT = """() => {
    const rgba = s => {
        const n = s.match(/[\\d.]+/g).map(Number);
        return s.startsWith('color(srgb') ? [...n.slice(0, 3).map(x => 255 * x), n[3] ?? 1]
                                          : [n[0], n[1], n[2], n[3] ?? 1];
    };
    const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
    const behind = e => {
        if (!e) return [255, 255, 255, 1];
        const own = rgba(getComputedStyle(e).backgroundColor);
        return own[3] === 1 ? own : over(own, behind(e.parentElement));
    };
    const light = c => {
        const [r, g, b] = c.slice(0, 3).map(x => x / 255)
            .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = new Map();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || !e.checkVisibility({visibilityProperty: true})
            || e.closest('svg, script, style, .headerlink, mjx-assistive-mml')) continue;
        const style = getComputedStyle(e);
        const back = behind(e), text = over(rgba(style.color), back);
        const [low, high] = [light(text), light(back)].sort((a, b) => a - b);
        const contrast = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (contrast < (large ? 3 : 4.5))
            found.set(e.className + text, `${contrast.toFixed(2)}: ${e.outerHTML.slice(0, 120)}`);
    }
    return [...found.values()].slice(0, 8);
}"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Silent."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(book):
    """Where the book is served."""
    handler = functools.partial(Handler, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A container runs it as root, where its sandbox does not start. It opens our pages only.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    """An empty page that remembers what went wrong, and lets nothing through to elsewhere."""
    context = browser.new_context(viewport=PHONE, color_scheme="light")
    page = context.new_page()
    page.faults = []

    def route(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            page.faults.append(f"external request: {route.request.url}")
            route.abort()

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # that is a click that leaves the page early
            page.faults.append(f"failed: {request.url}: {request.failure}")

    page.route("**/*", route)
    page.on("console", lambda m: m.type in ("error", "warning") and page.faults.append(m.text))
    page.on("pageerror", lambda error: page.faults.append(f"exception: {error}"))
    page.on("requestfailed", failed)
    page.on("response", lambda r: r.status >= 400 and page.faults.append(f"{r.status}: {r.url}"))
    yield page
    context.close()


def names(book):
    """Every page that is text; the listings of source code are one kind, and one stands for all."""
    listings = sorted(book.glob("_modules/minisam/**/*.html"))[:1]
    found = [path for path in book.rglob("*.html") if path.parts[len(book.parts)][0] != "_"]
    return [str(path.relative_to(book)) for path in sorted(found) + listings]


def test_every_page_at_both_widths_and_in_both_modes(book, address, page):
    faults = {}
    for name in names(book):
        page.faults.clear()
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="light")
        page.goto(address + name, wait_until="load")
        for image in page.locator("img[loading=lazy]").all():
            image.evaluate("image => { image.loading = 'eager'; }")
        page.wait_for_load_state("networkidle")
        page.add_style_tag(content="* { transition: none !important; }")  # colours change at once
        seen = page.evaluate(TYPESET)
        if seen["nodes"] != seen["drawn"]:
            page.faults.append(f"{seen['drawn']} of {seen['nodes']} formulas were typeset")
        page.faults += [f"formula: {error}" for error in seen["errors"]]
        page.faults += [f"image not drawn: {image}" for image in seen["images"]]
        for width in (PHONE, DESK):
            page.set_viewport_size(width)
            wider = page.evaluate(WIDER)
            if any(wider.values()):
                page.faults.append(f"wider than {width['width']}: {wider}")
        for mode in ("light", "dark"):
            page.emulate_media(color_scheme=mode)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{mode}'")
            page.faults += [f"{mode}: {text}" for text in page.evaluate(FAINT)]
        if page.faults:
            faults[name] = list(page.faults)
    assert not faults, "\n".join(f"{name}: {fault}" for name in faults for fault in faults[name])


def test_the_search_finds_the_dual_norm(address, page):
    page.goto(address + "search.html?q=dual+norm")
    page.get_by_role("link", name="The dual norm", exact=True).locator("visible=true").last.click()
    page.wait_for_url("**/theory/dual-norm.html*")
    assert page.faults == []


def test_the_contents_open_on_a_phone(address, page):
    page.goto(address)
    link = page.locator(".bd-sidebar-primary a, dialog a", has_text="Equation index").first
    assert not link.is_visible()
    page.locator("button.primary-toggle:visible, .sidebar-toggle:visible").first.click()
    link = page.locator("a:visible", has_text="Equation index").first
    link.click()
    page.wait_for_url("**/equations.html")
    assert page.faults == []


BROKEN = """<html><body><article>
<p style="color: #999; background: #fff">faint</p>
<div style="width: 600px; height: 9px">wide</div>
<span class="math">x</span>
<div class="math" style="overflow: hidden; width: 9em; white-space: nowrap">
<mjx-c style="margin-left: -5em">a formula that is cut at both of its ends</mjx-c></div>
<img src="nowhere.png"><script src="http://127.0.0.2:9/cdn.js"></script>
</article></body></html>"""


def test_the_test_would_see_a_fault(address, page):
    """A page with each of them: what the walk above looks for is there to be found."""
    page.route("**/broken.html", lambda r: r.fulfill(content_type="text/html", body=BROKEN))
    page.goto(address + "broken.html", wait_until="load")
    seen, wider, faint = (page.evaluate(script) for script in (TYPESET, WIDER, FAINT))
    assert (seen["nodes"], seen["drawn"], len(seen["images"])) == (2, 0, 1)
    assert wider["page"] > 0
    assert any("600px" in element for element in wider["wide"])
    assert len(wider["cut"]) == len(wider["lost"]) == 1
    assert [text for text in faint if "faint" in text]
    assert any(fault.startswith("external request") for fault in page.faults)
    assert any(fault.startswith("404") for fault in page.faults)
