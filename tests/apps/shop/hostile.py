"""The shop with a task whose very name is hostile, for what lists tasks; apart, so that other tests need not see it."""

from shop.tasks import HOSTILE, app


@app.task(name="shop.hostile." + HOSTILE + "end")
def named():
    return "named"


@app.task(rate_limit="1/m")
def documented():
    return "documented"


documented.__doc__ = "Documentation " + HOSTILE + "end"
