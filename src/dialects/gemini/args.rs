//! The arguments of a function call that come in pieces, each with its place in them.

use std::fmt;

use serde_json::{Map, Value};

/// Places deeper than this are dropped.
const MAX_DEPTH: usize = 100;

/// What has come of the arguments of a call.
#[derive(Default)]
pub(super) struct Args {
    args: Map<String, Value>,
    /// The place of the string that the next piece goes on with.
    open: Option<String>,
}

/// A step of a place: `.name` or `['name']`, or `[0]`.
#[derive(Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Args {
    /// Takes arguments that come whole.
    pub(super) fn take_whole(&mut self, args: Option<&Value>) {
        if let Some(Value::Object(args)) = args {
            self.args.extend(args.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// Takes one of `partialArgs`. What has no place in the arguments is dropped.
    pub(super) fn take_piece(&mut self, piece: &Value) {
        let path = piece.get("jsonPath").and_then(Value::as_str).unwrap_or_default();
        let value = match ["stringValue", "numberValue", "boolValue"]
            .iter()
            .find_map(|name| piece.get(*name))
        {
            Some(value) => value.clone(),
            None if piece.get("nullValue").is_some() => Value::Null,
            None => return,
        };
        let goes_on = piece.get("willContinue") == Some(&Value::Bool(true));
        let was_open = self.open.take().is_some_and(|open| open == path);
        let Some(place) = steps(path).and_then(|steps| place(&mut self.args, &steps)) else {
            return;
        };
        match (place, value) {
            (Value::String(known), Value::String(more)) if was_open => known.push_str(&more),
            (place, value) => *place = value,
        }
        self.open = goes_on.then(|| path.to_owned());
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.args).unwrap_or_default())
    }
}

/// The steps of `$.a[0]['b c']`; `None` for anything else.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(named) = rest.strip_prefix('.') {
            let end = named.find(['.', '[']).unwrap_or(named.len());
            let (name, after) = named.split_at(end);
            steps.push(Step::Name(name.to_owned()));
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix("['").or(rest.strip_prefix("[\"")) {
            let quote = rest.get(1..2)?;
            let (name, after) = quoted.split_once(&format!("{quote}]"))?;
            steps.push(Step::Name(name.replace(&format!("\\{quote}"), quote)));
            rest = after;
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        }
    }
    (!steps.is_empty() && steps.len() <= MAX_DEPTH).then_some(steps)
}

/// The place that `steps` lead to, made where it is new. `None` for an index that would leave
/// a gap, and where something else stands in the way.
fn place<'a>(args: &'a mut Map<String, Value>, steps: &[Step]) -> Option<&'a mut Value> {
    let (Step::Name(first), rest) = steps.split_first()? else { return None };
    let mut place = args.entry(first.clone()).or_insert(Value::Null);
    for step in rest {
        if place.is_null() {
            *place = match step {
                Step::Name(_) => Value::Object(Map::new()),
                Step::Index(_) => Value::Array(Vec::new()),
            };
        }
        place = match (step, place) {
            (Step::Name(name), Value::Object(fields)) => {
                fields.entry(name.clone()).or_insert(Value::Null)
            }
            (Step::Index(index), Value::Array(items)) => {
                if *index == items.len() {
                    items.push(Value::Null);
                }
                items.get_mut(*index)?
            }
            _ => return None,
        };
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(pieces: &[Value]) -> Value {
        let mut args = Args::default();
        pieces.iter().for_each(|piece| args.take_piece(piece));
        serde_json::from_str(&args.to_string()).unwrap()
    }

    #[test]
    fn pieces_become_arguments() {
        assert_eq!(
            args(&[
                json!({"jsonPath": "$.a", "stringValue": "x", "willContinue": true}),
                json!({"jsonPath": "$.a", "stringValue": "y"}),
                json!({"jsonPath": "$.b[0]['c d']", "numberValue": 1}),
                json!({"jsonPath": "$.b[1][\"e.f\"]", "boolValue": true}),
                json!({"jsonPath": "$.g", "nullValue": "NULL_VALUE"}),
            ]),
            json!({"a": "xy", "b": [{"c d": 1}, {"e.f": true}], "g": null})
        );
    }

    #[test]
    fn string_that_was_closed_is_replaced() {
        let piece = |text: &str| json!({"jsonPath": "$.a", "stringValue": text});
        assert_eq!(args(&[piece("x"), piece("y")]), json!({"a": "y"}));
    }

    #[test]
    fn pieces_without_a_place_are_dropped() {
        let piece = |path: &str| json!({"jsonPath": path, "numberValue": 1});
        let deep = format!("${}", ".a".repeat(1000));
        for path in ["", "a", "$", "$[0]", "$.a[", "$.a[x]", "$['a", "$.a[4294967294]", &deep] {
            let args = args(&[piece(path)]);
            assert!(args == json!({}) || args == json!({"a": []}), "{path}: {args}");
        }
        assert_eq!(args(&[piece("$.a"), piece("$.a.b")]), json!({"a": 1}));
    }
}
