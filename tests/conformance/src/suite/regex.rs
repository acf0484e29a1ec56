//! `regex.jsonl`: what an expression is, and what it matches.

use periplus_core::regex::{Regex, Slots};
use serde::Deserialize;
use serde_json::Value;

use super::{Mismatch, Outcome, expect, read};

#[derive(Deserialize)]
struct Recorded {
    value: String,
    #[serde(rename = "match")]
    is_match: bool,
    groups: Vec<Option<String>>,
}

pub(super) fn check(case: &Value) -> Outcome {
    let compiled = Regex::new(&read::<String>(case, "pattern")?);
    let error = compiled.as_ref().err().map(ToString::to_string);
    expect("error", &read::<Option<String>>(case, "error")?, &error)?;
    expect(
        "accepted",
        &read::<bool>(case, "accepted")?,
        &compiled.is_ok(),
    )?;
    let Ok(regex) = compiled else { return Ok(()) };
    let names: Option<Vec<String>> = read(case, "names")?;
    expect("names", &names.unwrap_or_default()[..], regex.group_names())?;
    for recorded in read::<Vec<Recorded>>(case, "cases")? {
        check_value(&regex, &recorded)
            .map_err(|Mismatch(text)| Mismatch(format!("on {:?}: {text}", recorded.value)))?;
    }
    Ok(())
}

fn check_value(regex: &Regex, recorded: &Recorded) -> Outcome {
    let value = &recorded.value;
    expect("match", &recorded.is_match, &regex.is_match(value))?;
    let count = regex.group_names().len() + 1;
    let mut slots = Slots::new(count);
    let found = regex.captures(value, &mut slots);
    expect("match with groups", &recorded.is_match, &found)?;
    let groups: Vec<Option<String>> = if found {
        (0..count)
            .map(|group| slots.group(group, value).map(str::to_owned))
            .collect()
    } else {
        Vec::new()
    };
    expect("groups", &recorded.groups, &groups)
}
