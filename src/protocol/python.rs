//! A call as Python would write it: for the preview, and for the `argsrepr`/`kwargsrepr` headers (display only, cut to 1024 characters by Celery).

use super::Json;

/// A value as Python source: `True`, `None`, `'text'`, `Decimal('12.50')`, `float('nan')`.
pub fn repr(value: &Json) -> String {
    let _ = value;
    unimplemented!()
}

/// A call: `refund(42, note='x')`; `name` is shown as given.
pub fn call(name: &str, args: &[Json], kwargs: &[(String, Json)]) -> String {
    let _ = (name, args, kwargs);
    unimplemented!()
}

/// Whether `name` is a Python identifier and no keyword (so that `name=` can be a keyword argument).
pub fn is_identifier(name: &str) -> bool {
    let _ = name;
    unimplemented!()
}

/// `text` cut to at most `limit` characters, with `...` in their number when cut, as Celery's `saferepr` does.
pub fn shorten(text: &str, limit: usize) -> String {
    let _ = (text, limit);
    unimplemented!()
}
