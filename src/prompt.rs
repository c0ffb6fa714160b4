//! Conversations for those who take none: a list of messages folded into one text, and
//! the last thing that the user said.

use serde_json::Value;

use crate::json;

/// The text of a message's content: a string, a part, or a list of parts.
///
/// Parts of a list that are no text (images, audio) say nothing.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(part) => match part.get("text") {
            Some(text) => text_of(text),
            None if part.contains_key("name") => String::new(),
            None => content.to_string(),
        },
        Value::Array(parts) => parts
            .iter()
            .filter(|part| part.get("type").is_none_or(|kind| kind == "text"))
            .map(text_of)
            .collect(),
        other => other.to_string(),
    }
}

/// The role of a message.
pub(crate) fn role_of(message: &Value) -> &str {
    json::text(message, "role")
}

fn content_of(message: &Value) -> String {
    message.get("content").map(text_of).unwrap_or_default()
}

/// All messages as one prompt, which ends where the assistant is to go on.
///
/// A single message is its text alone.
pub(crate) fn fold(messages: &[Value]) -> String {
    if let [] | [_] = messages {
        return messages.first().map(content_of).unwrap_or_default();
    }
    let lines = messages.iter().filter_map(|message| {
        let text = content_of(message);
        (!text.trim().is_empty()).then(|| format!("{}: {text}", title_case(role_of(message))))
    });
    let mut prompt = lines.collect::<Vec<_>>().join("\n");
    prompt.push_str("\nAssistant:");
    prompt
}

/// `toolResult` is `Toolresult`.
fn title_case(role: &str) -> String {
    let mut characters = role.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters.flat_map(char::to_lowercase)).collect()
}

/// What the user said last: the latest run of messages of the user's, one line each.
pub(crate) fn last_user_message(messages: &[Value]) -> String {
    let mut said: Vec<String> = messages
        .iter()
        .rev()
        .skip_while(|message| role_of(message) != "user")
        .take_while(|message| role_of(message) == "user")
        .map(|message| content_of(message).trim().to_owned())
        .collect();
    said.reverse();
    said.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn messages(said: &[(&str, &str)]) -> Vec<Value> {
        said.iter().map(|(role, text)| json!({"role": role, "content": text})).collect()
    }

    #[test]
    fn conversations_fold_as_in_the_worked_examples() {
        let fold = |said: &[(&str, &str)]| super::fold(&messages(said));
        assert_eq!(fold(&[]), "");
        assert_eq!(fold(&[("user", "Hello")]), "Hello");
        assert_eq!(
            fold(&[("system", "Be brief."), ("user", "Hi")]),
            "System: Be brief.\nUser: Hi\nAssistant:"
        );
        assert_eq!(
            fold(&[
                ("system", "Be brief."),
                ("user", "Hi"),
                ("assistant", "Hello!"),
                ("user", "How are you?")
            ]),
            "System: Be brief.\nUser: Hi\nAssistant: Hello!\nUser: How are you?\nAssistant:"
        );
        assert_eq!(fold(&[("system", "S")]), "S");
        assert_eq!(fold(&[("user", " "), ("user", "")]), "\nAssistant:");
        assert_eq!(
            fold(&[("toolResult", "a"), ("user", "b")]),
            "Toolresult: a\nUser: b\nAssistant:"
        );
    }

    #[test]
    fn images_and_blank_messages_vanish_and_trailing_spaces_stay() {
        let mut said =
            messages(&[("user", ""), ("assistant", "   "), ("tool", "42"), ("user", "a\nb  ")]);
        said[0] = json!({"role": "user", "content": [{"type": "text", "text": "Look "},
            {"type": "image_url", "image_url": {"url": "https://x"}}, {"type": "text", "text": "here"}]});
        assert_eq!(fold(&said), "User: Look here\nTool: 42\nUser: a\nb  \nAssistant:");
    }

    #[test]
    fn last_user_message_is_the_latest_run() {
        for (said, last) in [
            (
                &[("user", "one"), ("assistant", "x"), ("user", "two "), ("user", "three")][..],
                "two\nthree",
            ),
            (&[("user", "q1"), ("user", "q2"), ("assistant", "a")], "q1\nq2"),
            (&[("user", "q1"), ("system", "s"), ("user", "q2")], "q2"),
            (&[("system", "s")], ""),
            (&[("user", "q1"), ("user", "")], "q1\n"),
        ] {
            assert_eq!(last_user_message(&messages(said)), last);
        }
    }
}
