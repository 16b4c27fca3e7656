//! `umbel help TOPIC`: what belongs to no single command. Text only.

use std::ffi::OsString;

/// The topics and their texts.
pub const TOPICS: [(&str, &str); 4] = [
    ("exit-codes", EXIT_CODES),
    ("environment", ENVIRONMENT),
    ("json", JSON),
    ("items", ITEMS),
];

/// The text that `umbel help TOPIC` asks for; everything else is clap's.
pub fn asked(words: &[OsString]) -> Option<&'static str> {
    let [_, help, topic] = words else {
        return None;
    };
    let topic = (help == "help").then_some(topic)?;
    let (_, text) = TOPICS.iter().find(|(name, _)| *topic == **name)?;
    Some(text)
}

const EXIT_CODES: &str = "\
Exit codes of umbel: they tell whether anything was sent.

code      meaning                                                         sent?
   0      success; for call: the task returned, or keeps no result; for   yes
          send: the broker has it; for revoke: a worker took it
   1      the task failed (an exception, or the worker does not know it); yes
          its result lacks --field; for revoke: every worker refused
   2      wrong usage                                                     no
   3      no result within --timeout; the task may still run; for wait    yes
          and result also: nothing is known of the id
   4      broker or result backend unreachable before sending, or the     no
          broker returned the message; for wait and result: results
          cannot be read here (rpc://)
   5      sent, then the result backend was lost                          yes
   6      proved before sending: no worker reads the queue or knows the   no
          task; listings: nobody answered
   7      revoked, expired or killed; a revoke at the timeout of a task    yes
          that runs changes nothing: 3
   8      the arguments are not JSON or cannot be encoded; for again:      no
          secrets are not kept and were not given
   9      refused: confirmation or permission missing; for again: it was  no
          made at another broker
  11      URL, configuration or environment cannot be used; for wait,     no
          result, revoke: the call was made at another broker
  12      the connection broke, or umbel was killed, while publishing;    unknown
          for revoke: no worker answered
  70      a bug in umbel; or all went well, but the answer could not be   unknown
          written to stdout, which stderr says (a closed pipe is no failure)
 130 143  interrupted or terminated; the task goes on                     see stderr

After 2, 4, 6, 8, 9 and 11 it is safe to run the same command again.";

const ENVIRONMENT: &str = "\
Environment of umbel; a flag wins over its variable, a variable over the configuration file.

UMBEL_BROKER           broker URL; wins over CELERY_BROKER_URL
CELERY_BROKER_URL      broker URL
UMBEL_BACKEND          result backend URL; wins over CELERY_RESULT_BACKEND
CELERY_RESULT_BACKEND  result backend URL; else the workers are asked
UMBEL_TIMEOUT          how long a call is waited for: 500ms, 10s, 2m, none
UMBEL_HISTORY          file of the history, or off
UMBEL_CONFIG           configuration file; else $XDG_CONFIG_HOME/umbel/config.toml or ~/.config/umbel/config.toml
UMBEL_LOG              file to write a log to
UMBEL_GLYPHS           unicode or ascii
UMBEL_AMBIGUOUS        cells of a character of ambiguous width: 1 or 2
NO_COLOR               no colours";

const JSON: &str = "\
With --json, stdout is one JSON document, also on failure; with --jsonl one document a line, of several calls as each ends.

umbel.call/1     call, send, wait, result, again, history show, a line of history --jsonl; diagnosis: where it is and why
umbel.calls/1    wait of several calls: {\"schema\", \"ok\", \"calls\": [umbel.call/1, ...], \"exit\"}
umbel.revoke/1   revoke       umbel.history/1  history      umbel.diff/1     history diff
umbel.tasks/1    tasks        umbel.queues/1   queues       umbel.workers/1  workers
umbel.message/1  call --dry-run                umbel.config/1   config check, config path
umbel.error/1    every other failure: {\"schema\", \"ok\": false, \"exit\", \"error\": {\"kind\", \"message\", \"hint\"}}

Fields are only ever added. Unknown is null, never 0 or \"\". Times are RFC 3339 in UTC with milliseconds,
durations are numbers named *_ms. The documents are strict JSON: NaN and Infinity appear as strings.
Values that kombu writes with a type keep it: {\"__type__\": \"decimal\", \"__value__\": \"12.50\"}.";

const ITEMS: &str = "\
ITEMs: the arguments of umbel call. Their meaning depends on the text alone.

name=text        keyword; JSON where the text is valid JSON, else a string:
                 order_id=42  note=late  tags='[\"a\"]'  when=null  zip=00501 (a string: not valid JSON)
name:=JSON       keyword; must be JSON: order:='{\"id\": 1}'
name:TYPE=text   keyword of a type: int float bool str json null decimal datetime date time uuid bytes
                 amount:decimal=12.50  code:str=42  x:float=nan  raw:bytes=hex:00ff
name=@FILE       keyword; the text of a file (- is stdin)
name:=@FILE      keyword; the JSON in a file
text  :=JSON  :TYPE=text   the same three, positional: 2  :=[1]  :str=42
--               what follows is positional: -- a=1

A name is a Python identifier: in https://shop/?a=1 there is none, it is positional. Negative numbers are ITEMs, not flags.
true, false and null are JSON; True, False and None are strings, and warned about.
--header takes the same forms, with any name.";

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;
    use crate::cli::items::Type;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_topic_is_found_by_its_name_alone() {
        assert_eq!(asked(&words("umbel help items")), Some(ITEMS));
        assert_eq!(asked(&words("umbel help call")), None);
        assert_eq!(asked(&words("umbel call items")), None);
    }

    #[test]
    fn the_items_topic_names_every_type() {
        for kind in Type::iter() {
            assert!(ITEMS.contains(&kind.to_string()), "{kind}");
        }
    }

    #[test]
    fn the_topics_fit_a_wide_terminal() {
        for (name, text) in TOPICS {
            for line in text.lines() {
                assert!(line.chars().count() <= 125, "{name}: {line}");
            }
        }
    }
}
