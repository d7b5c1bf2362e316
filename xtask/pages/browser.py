"""A browser and what the checks ask of a page: waiting, keys, what was loaded, what went wrong."""

import glob
import os
import time

CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]


def launch(playwright):
    """The browser of this machine, drawing without a graphics card."""
    arguments = ["--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    path = next(path for path in CHROMIUM if os.path.exists(path))
    return playwright.chromium.launch(executable_path=path, args=arguments)


class Watched:
    """A page whose requests and errors are noted down."""

    def __init__(self, context, base):
        self.base = base
        self.page = context.new_page()
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.console)

    def console(self, message):
        # What a node does not tell or refuses is shown on the page, and noted by the browser, too.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def elsewhere(self):
        """What was asked of anybody but the node; `blob:` and `data:` are made by the page itself."""
        return [url for url in self.requests if not url.startswith((self.base, "blob:", "data:"))]

    def open(self, view):
        """Shows a view, or a page of its own where the name is that of a file."""
        self.page.goto(f"{self.base}/ui/{view}" if view.endswith(".html") else f"{self.base}/ui/#/{view}")
        self.page.wait_for_selector("h1")
        return self.page


def until(page, expression, seconds=10.0, argument=None):
    """Waits until an expression is true: the policy of the page forbids what playwright would do for it."""
    end = time.monotonic() + seconds
    while True:
        got = page.evaluate(expression, argument)
        if got:
            return got
        assert time.monotonic() < end, f"not within {seconds} s: {expression}\n{page.inner_text('body')[:600]}"
        time.sleep(0.02)


def frames(page, seconds):
    """The time between pictures of a page while it does what it does, ascending, in milliseconds."""
    taken = page.evaluate("""seconds => new Promise(done => {
        const found = []; let last = performance.now(); const end = last + seconds * 1000;
        const step = now => { found.push(now - last); last = now; now < end ? requestAnimationFrame(step) : done(found); };
        requestAnimationFrame(step); })""", seconds)
    return sorted(taken[1:])


def processor_ms():
    """What all processes of the browser have used of the processor, in milliseconds; `None` where nobody tells."""
    stats = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue  # it ended meanwhile
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        stats[int(text.split(" ", 1)[0])] = (name, int(fields[1]), int(fields[11]) + int(fields[12]))
    if not stats:
        return None
    ours = {os.getpid()}
    while more := {pid for pid, (_, parent, _) in stats.items() if parent in ours} - ours:
        ours |= more
    ticks = sum(used for pid, (name, _, used) in stats.items() if pid in ours and "chrom" in name)
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def share(values, part):
    """The value below which a part of the ascending values lies."""
    return values[min(len(values) - 1, int(part * len(values)))]
