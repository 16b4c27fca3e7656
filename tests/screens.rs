//! The screen as a function of what happened: its rules, its looks, and every size. No clock, no network, no terminal.

#[path = "screens/again.rs"]
mod again;
#[path = "screens/awaited.rs"]
mod awaited;
#[path = "screens/choices.rs"]
mod choices;
#[path = "screens/diagnosis.rs"]
mod diagnosis;
#[path = "screens/diff.rs"]
mod diff;
#[path = "screens/earlier.rs"]
mod earlier;
#[path = "screens/form.rs"]
mod form;
#[path = "screens/heard.rs"]
mod heard;
#[path = "screens/looks.rs"]
mod looks;
#[path = "screens/namesakes.rs"]
mod namesakes;
#[path = "screens/options.rs"]
mod options;
#[path = "screens/past.rs"]
mod past;
#[path = "screens/recall.rs"]
mod recall;
#[path = "screens/routing.rs"]
mod routing;
#[path = "screens/rules.rs"]
mod rules;
#[path = "screens/secrets.rs"]
mod secrets;
#[path = "screens/sizes.rs"]
mod sizes;
#[path = "support/stage.rs"]
mod stage;
#[path = "screens/visited.rs"]
mod visited;
#[path = "screens/waiting.rs"]
mod waiting;
#[path = "screens/weight.rs"]
mod weight;
