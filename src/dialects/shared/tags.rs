//! Tags inside an answer's text that mean something, found also where a chunk ends in
//! their midst.

use uuid::Uuid;

/// Tells the reasoning between `<think>` and `</think>` from the answer.
#[derive(Default)]
pub(super) struct Think {
    inside: bool,
    /// The reasoning is over, and nothing but white space has come since.
    just_after: bool,
    /// The last character given was a backtick: a tag behind it is talked about.
    quoted: bool,
    /// What may be the beginning of the next tag.
    held: String,
}

impl Think {
    /// Gives the pieces of `text`, and whether each is reasoning.
    pub(super) fn take(&mut self, text: &str, mut give: impl FnMut(bool, &str)) {
        if self.held.is_empty() && !text.contains('<') {
            return self.give(text, &mut give);
        }
        self.held.push_str(text);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_str();
        loop {
            let tag = if self.inside { "</think>" } else { "<think>" };
            if let Some((before, after)) = rest.split_once(tag) {
                self.give(before, &mut give);
                if self.quoted && !self.inside {
                    self.give(tag, &mut give);
                    rest = after;
                    continue;
                }
                self.just_after = self.inside;
                self.inside = !self.inside;
                rest = after;
                continue;
            }
            let (now, later) = rest.split_at(rest.len() - beginning_of(tag, rest));
            self.give(now, &mut give);
            self.held = later.to_owned();
            return;
        }
    }

    /// The text is at its end: what looked like a tag was none.
    pub(super) fn end(&mut self, mut give: impl FnMut(bool, &str)) {
        let held = std::mem::take(&mut self.held);
        self.give(&held, &mut give);
    }

    fn give(&mut self, text: &str, give: &mut impl FnMut(bool, &str)) {
        let text = if self.just_after { text.trim_start() } else { text };
        if !text.is_empty() {
            self.just_after = false;
            self.quoted = text.ends_with('`');
            give(self.inside, text);
        }
    }
}

/// How many bytes at the end of `text` may be the beginning of `tag`.
fn beginning_of(tag: &str, text: &str) -> usize {
    (1..tag.len())
        .rev()
        .find(|length| tag.get(..*length).is_some_and(|start| text.ends_with(start)))
        .unwrap_or(0)
}

/// Takes the tags out by which GigaChat shows images and videos:
/// `<img src="ID" fuse="true"/>`.
#[derive(Default)]
pub(super) struct Files {
    /// What may be a tag, from its `<`.
    held: String,
}

/// A tag that is longer than this is none.
const LONGEST_TAG: usize = 1024;

impl Files {
    /// Gives the pieces of `text` that are text; returns the ids of the files shown.
    pub(super) fn take(&mut self, text: &str, mut give: impl FnMut(&str)) -> Vec<String> {
        if self.held.is_empty() && !text.contains('<') {
            give(text);
            return Vec::new();
        }
        self.held.push_str(text);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_str();
        // So much of the rest holds no tag.
        let mut searched = 0;
        let mut ids = Vec::new();
        while let Some(at) = rest.get(searched..).and_then(|text| text.find('<')) {
            let (before, tag) = rest.split_at(searched + at);
            let starts = ["<img ", "<video "];
            let is_tag = starts.iter().any(|start| tag.starts_with(start));
            let may_be = is_tag || starts.iter().any(|start| start.starts_with(tag));
            // The search is bounded: a text may hold millions of what may begin a tag.
            let bytes = tag.as_bytes().get(..LONGEST_TAG).unwrap_or(tag.as_bytes());
            let end = if is_tag { memchr::memchr(b'>', bytes) } else { None };
            match end {
                // Others are markup that the answer talks about.
                Some(end) if shows_file(tag.get(..=end).unwrap_or_default()) => {
                    give(before);
                    let (tag, after) = tag.split_at(end + 1);
                    ids.extend(attribute(tag, "src").or_else(|| attribute(tag, "cover")));
                    (rest, searched) = (after, 0);
                }
                None if may_be && tag.len() < LONGEST_TAG => {
                    give(before);
                    self.held = tag.to_owned();
                    return ids;
                }
                _ => searched += at + 1,
            }
        }
        give(rest);
        ids
    }

    /// The text is at its end: what looked like a tag was none.
    pub(super) fn end(&mut self, mut give: impl FnMut(&str)) {
        give(&std::mem::take(&mut self.held));
    }
}

fn shows_file(tag: &str) -> bool {
    attribute(tag, "fuse").is_some_and(|fuse| fuse == "true")
        || attribute(tag, "src").is_some_and(|id| Uuid::parse_str(&id).is_ok())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(value.split('"').next()?.to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same for every place where the text may be cut.
    fn think(text: &str) -> (String, String) {
        let split = |pieces: &[&str]| {
            let (mut answer, mut reasoning) = (String::new(), String::new());
            let mut think = Think::default();
            let mut give = |inside: bool, text: &str| match inside {
                true => reasoning.push_str(text),
                false => answer.push_str(text),
            };
            pieces.iter().for_each(|piece| think.take(piece, &mut give));
            think.end(&mut give);
            (reasoning, answer)
        };
        let whole = split(&[text]);
        for cut in (1..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let (first, second) = text.split_at(cut);
            assert_eq!(whole, split(&[first, second]), "{text:?} cut at {cut}");
        }
        whole
    }

    #[test]
    fn reasoning_is_told_from_the_answer_wherever_the_text_is_cut() {
        for (text, reasoning, answer) in [
            ("<think>hm</think>\n\nHi", "hm", "Hi"),
            ("Hi", "", "Hi"),
            ("a < b <thin> c", "", "a < b <thin> c"),
            ("a<think>b</think>c<think>d", "bd", "ac"),
            ("<think>x</thi", "x</thi", ""),
            ("Write `<think>` and `</think>`", "", "Write `<think>` and `</think>`"),
            ("\u{1f600}<think>\u{1f914}</think>\u{1f600}", "\u{1f914}", "\u{1f600}\u{1f600}"),
        ] {
            assert_eq!(think(text), (reasoning.to_owned(), answer.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn files_are_taken_out_of_the_text_wherever_it_is_cut() {
        let text = "See <img src=\"a-1\" fuse=\"true\"/> and <video cover=\"c\" src=\"v-2\" fuse=\"true\"/>, 1 < 2 <i>ok</i> <im";
        for cut in 0..text.len() {
            let mut files = Files::default();
            let (mut out, mut ids) = (String::new(), Vec::new());
            let (first, second) = text.split_at(cut);
            for piece in [first, second] {
                ids.extend(files.take(piece, |text| out.push_str(text)));
            }
            files.end(|text| out.push_str(text));
            assert_eq!(out, "See  and , 1 < 2 <i>ok</i> <im", "cut at {cut}");
            assert_eq!(ids, ["a-1", "v-2"]);
        }
    }

    #[test]
    fn text_full_of_what_may_begin_a_tag_is_read_in_moments() {
        // It would take minutes if all that follows were searched for every beginning.
        for (start, count) in [("<", 2 << 20), ("<img ", 1 << 19), ("<video <", 1 << 18)] {
            let text = start.repeat(count);
            let mut files = Files::default();
            let (mut out, mut pieces) = (String::new(), 0);
            let mut give = |text: &str| {
                out.push_str(text);
                pieces += 1;
            };
            assert_eq!(files.take(&text, &mut give), [""; 0]);
            files.end(&mut give);
            assert!(out == text, "{start}");
            // Each piece is a chunk.
            assert!(pieces <= 3, "{start}: {pieces}");
        }
    }

    #[test]
    fn tag_that_is_too_long_is_text_wherever_it_is_cut() {
        let long = format!("<img src=\"{}\" fuse=\"true\"/>é", "é".repeat(LONGEST_TAG / 2));
        let short = format!("<img src=\"{}\" fuse=\"true\"/>é", "é".repeat(LONGEST_TAG / 3));
        for cut in (0..long.len()).filter(|cut| long.is_char_boundary(*cut)) {
            let (mut files, mut out) = (Files::default(), String::new());
            let (first, second) = long.split_at(cut);
            for piece in [first, second] {
                assert_eq!(files.take(piece, |text| out.push_str(text)), [""; 0], "cut at {cut}");
            }
            files.end(|text| out.push_str(text));
            assert!(out == long, "cut at {cut}");
        }
        let mut out = String::new();
        assert_eq!(Files::default().take(&short, |text| out.push_str(text)).len(), 1);
        assert_eq!(out, "é");
    }
}
