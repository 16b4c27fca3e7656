//! What a call of the past would change in the form, in words. Changes nothing.

use crate::history::record::Place;
use crate::history::{Record, Secrets};
use crate::protocol::{Json, python};
use crate::tui::panes::call::{Draft, secret};
use crate::tui::panes::remote;

/// Characters of a value.
const VALUE: usize = 24;

/// What stands where nothing is sent.
const OMITTED: &str = "(omitted)";

/// What the form holds now and would hold: `order_id 41 -> 42`, one each; none if nothing would change.
///
/// # Errors
/// It cannot be compared: why.
pub fn differs(form: &Draft, record: &Record, secrets: &Secrets) -> Result<Vec<String>, String> {
    let mut loaded = form.fresh();
    loaded.load(record).map_err(|reason| reason.to_string())?;
    if form.json_problem().is_some() {
        return Err("the form holds JSON that means nothing yet".to_owned());
    }
    let secrets = form.secrets(secrets);
    let shown = secret::shown_call(form.outline(), Vec::new(), &secrets);
    let (now, then) = (
        named((shown.args, shown.kwargs)),
        named(record_arguments(record)),
    );
    let mut changes = Vec::new();
    for (name, value) in &then {
        let before = now.iter().find(|(known, _)| known == name);
        if is_masked(record, name) {
            changes.push(format!("{} *** to be typed again", remote(name)));
        } else if before.is_none_or(|(_, before)| before != value) {
            let before = before.map(|(_, value)| value);
            changes.push(change(name, before, Some(value)));
        }
    }
    let gone = now
        .iter()
        .filter(|(name, _)| then.iter().all(|(known, _)| known != name));
    changes.extend(gone.map(|(name, value)| change(name, Some(value), None)));
    changes.extend(options(form, &loaded, &secrets));
    Ok(changes)
}

fn record_arguments(record: &Record) -> (Vec<Json>, Vec<(String, Json)>) {
    let signature = &record.signature;
    (signature.args.clone(), signature.kwargs.clone())
}

fn named((args, kwargs): (Vec<Json>, Vec<(String, Json)>)) -> Vec<(String, Json)> {
    let args = args.into_iter().enumerate();
    let args = args.map(|(place, value)| (format!("args[{place}]"), value));
    args.chain(kwargs).collect()
}

fn is_masked(record: &Record, name: &str) -> bool {
    record.masked.iter().any(|masked| match &masked.place {
        Place::Positional(place) => format!("args[{place}]") == name,
        Place::Keyword(keyword) => keyword == name,
        Place::Header(_) => false,
    })
}

fn change(name: &str, before: Option<&Json>, after: Option<&Json>) -> String {
    let text = |value: Option<&Json>| {
        value.map_or_else(
            || OMITTED.to_owned(),
            |value| remote(&python::repr_within(value, VALUE)),
        )
    };
    format!("{} {} -> {}", remote(name), text(before), text(after))
}

fn options(form: &Draft, loaded: &Draft, secrets: &Secrets) -> Vec<String> {
    let (now, then) = (form.options_now(), &loaded.options);
    let mut places = now.all_places();
    places.extend(then.all_places());
    places.sort_unstable();
    places.dedup();
    let changed = places
        .into_iter()
        .filter(|entry| now.text(*entry) != then.text(*entry));
    changed
        .map(|entry| {
            let (now, then) = (now.shown(entry), then.shown(entry));
            let text = |text: &str| {
                let text = secret::shown_option(entry, text, secrets);
                remote(&python::shorten(&text, VALUE))
            };
            format!("{} {} -> {}", entry.name, text(&now), text(&then))
        })
        .collect()
}
