//! [`Secret`]: text that is wiped from memory when it is dropped, and never shown; and the
//! one place that takes secrets out of text ([`redact`], [`Redacted`]).
//!
//! Servers quote keys in many ways: within JSON, within JSON within JSON, in a URL, in a
//! page. So a secret is looked for byte by byte, and each byte may be spelled plainly or by
//! any escape of JSON, C, URLs or HTML, in any mixture.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What stands where a secret stood.
pub(crate) const BLOT: &str = "[redacted]";

/// A shorter secret is a placeholder, such as "k" or "null", and part of too much that is
/// none. So many bytes of a secret at the end of a text count as the secret: the text was
/// cut there.
const SHORTEST: usize = 8;

/// A secret this long is redacted wherever it stands, also within other letters, such as
/// `Bearer<key>`. A shorter one may be a word: "password" is to stay in "invalid_password".
const LONG: usize = 16;

/// How many times a text may be escaped: JSON quoted in JSON doubles every backslash.
const DEPTH: usize = 8;

/// The longest escape is shorter, such as `&#00000043;`.
const LONGEST_ESCAPE: usize = 12;

/// How many readings of one place are followed: there are two as a rule, and more where a
/// secret is all backslashes.
const MOST_WAYS: usize = 16;

/// A key, a token, a cookie: whatever proves who asks.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// What shows a user's password, or who knows a user without one.
    pub(crate) fn of_user(user: &str, password: &str) -> [Secret; 2] {
        let proof = if password.is_empty() { user } else { password };
        let both = Zeroizing::new(format!("{user}:{password}"));
        [Secret::new(proof), Secret(Zeroizing::new(BASE64.encode(&*both)))]
    }

    /// This text and what a server takes it for that decodes it: as it does with what
    /// stands in a URL or a form.
    pub(crate) fn forms(&self) -> Vec<Secret> {
        let text = self.expose();
        let spaced = Zeroizing::new(text.replace('+', " "));
        let mut forms = vec![self.clone()];
        for encoded in [text, &spaced] {
            let form = Secret::new(&percent_decode_str(encoded).decode_utf8_lossy());
            if forms.iter().all(|known| known.expose() != form.expose()) {
                forms.push(form);
            }
        }
        forms
    }
}

/// Blots every one of `secrets` out of `text`.
pub(crate) fn redact(text: &mut String, secrets: &[Secret]) {
    *text = String::from_utf8_lossy(&redacted(text.as_bytes(), secrets)).into_owned();
}

/// `bytes` with every one of `secrets` blotted out.
pub(crate) fn redacted(bytes: &[u8], secrets: &[Secret]) -> Vec<u8> {
    let mut text = Redacted::default();
    let mut clean = text.push(bytes, secrets);
    clean.extend(text.end(secrets));
    clean
}

/// Text that comes in pieces, without its secrets, also those that are cut in two.
#[derive(Default)]
pub(crate) struct Redacted {
    /// What was given out last, enough to see whether a word begins behind it; then what is
    /// held: it may be the start of a secret or of a character.
    text: Vec<u8>,
    given: usize,
}

impl Redacted {
    /// Takes the next piece. Returns what is sure by now.
    pub(crate) fn push(&mut self, piece: &[u8], secrets: &[Secret]) -> Vec<u8> {
        self.text.extend_from_slice(piece);
        self.take(secrets, false)
    }

    /// The rest.
    pub(crate) fn end(&mut self, secrets: &[Secret]) -> Vec<u8> {
        self.take(secrets, true)
    }

    fn take(&mut self, secrets: &[Secret], is_end: bool) -> Vec<u8> {
        let (stains, sure) = stains(&self.text, self.given, secrets, is_end);
        let mut clean = Vec::with_capacity(sure.saturating_sub(self.given));
        let mut at = self.given;
        for stain in stains {
            clean.extend_from_slice(self.text.get(at..stain.start).unwrap_or_default());
            clean.extend_from_slice(BLOT.as_bytes());
            at = stain.end;
        }
        clean.extend_from_slice(self.text.get(at..sure).unwrap_or_default());
        let old = sure.saturating_sub(LONGEST_ESCAPE);
        self.text.drain(..old);
        self.given = sure - old;
        clean
    }
}

/// Where secrets stand in `text` behind its first `from` bytes, and how much of it is sure:
/// all of it at the end, else up to where a secret or a character may have begun.
fn stains(
    text: &[u8],
    from: usize,
    secrets: &[Secret],
    is_end: bool,
) -> (Vec<Range<usize>>, usize) {
    let secrets: Vec<&[u8]> = secrets
        .iter()
        .map(|secret| secret.expose().as_bytes())
        .filter(|secret| secret.len() >= SHORTEST)
        .collect();
    let may_begin = |byte: u8| {
        MARKS.contains(&byte)
            || byte == b'+'
            || secrets.iter().any(|secret| secret.first() == Some(&byte))
    };
    let may_begin: Vec<bool> = (0..=u8::MAX).map(may_begin).collect();
    let mut stains: Vec<Range<usize>> = Vec::new();
    let mut sure = match std::str::from_utf8(text.get(from..).unwrap_or_default()) {
        Err(error) if error.error_len().is_none() && !is_end => from + error.valid_up_to(),
        _ => text.len(),
    };
    for (at, byte) in text.iter().enumerate().skip(from) {
        if may_begin.get(usize::from(*byte)) != Some(&true) {
            continue;
        }
        let begun: Vec<u8> = match MARKS.contains(byte) {
            true => {
                spelled(text, at).filter_map(|(unit, _)| unit.as_bytes().first().copied()).collect()
            }
            false => Vec::new(),
        };
        let may_be = |secret: &&&[u8]| {
            let first = secret.first().unwrap_or(byte);
            byte == first
                || begun.contains(first)
                || (*byte == b'+' && *first == b' ')
                || (MARKS.contains(byte) && text.len() - at < LONGEST_ESCAPE)
        };
        let mut end = at;
        let mut is_open = false;
        for secret in secrets.iter().filter(may_be) {
            match look(secret, text, at, is_end) {
                Seen::Nothing => {}
                Seen::Start => is_open = true,
                Seen::Whole(place) => end = end.max(place),
            }
        }
        let overlapped = stains.last_mut().filter(|stain| stain.end > at);
        match overlapped {
            // What overlaps waits with it.
            Some(stain) if is_open => {
                sure = sure.min(stain.start);
                stains.pop();
                break;
            }
            None if is_open => {
                sure = sure.min(at);
                break;
            }
            Some(stain) => stain.end = stain.end.max(end),
            None if end > at => stains.push(at..end),
            None => {}
        }
    }
    (stains, sure)
}

enum Seen {
    Nothing,
    /// Of a secret that may go on behind the end of the text.
    Start,
    /// A secret, up to there.
    Whole(usize),
}

/// Whether `secret` stands at `at`.
fn look(secret: &[u8], text: &[u8], at: usize, is_end: bool) -> Seen {
    let is_word = secret.len() < LONG;
    if is_word && !begins_word(text, at) {
        return Seen::Nothing;
    }
    match read(secret, text, at) {
        Read::Nothing => Seen::Nothing,
        Read::Start(_) if !is_end => Seen::Start,
        Read::Start(count) if count >= SHORTEST => Seen::Whole(text.len()),
        Read::Start(_) => Seen::Nothing,
        Read::Whole(end) => match text.get(end) {
            None if is_word && !is_end => Seen::Start,
            Some(next) if is_word && is_of_word(*next) => Seen::Nothing,
            _ => Seen::Whole(end),
        },
    }
}

enum Read {
    Nothing,
    /// So many bytes of the secret, and then the text ended.
    Start(usize),
    Whole(usize),
}

/// Reads `secret` from `at` on, in whichever way its bytes are spelled.
fn read(secret: &[u8], text: &[u8], at: usize) -> Read {
    // Nearly always the text goes another way soon, in bytes that mean nothing else.
    let rest = text.get(at..).unwrap_or_default();
    let plain = rest.iter().zip(secret).take_while(|(a, b)| a == b && !MARKS.contains(a)).count();
    let meant = |byte: &u8| !MARKS.contains(byte) && *byte != b'+';
    if plain < secret.len() && rest.get(plain).is_some_and(meant) {
        return Read::Nothing;
    }
    // How much of the secret was read up to which place: a mark may stand for itself.
    let mut ways = vec![(plain, at + plain)];
    let mut next = 0;
    let mut most = None;
    while let Some((count, place)) = ways.get(next).copied() {
        next += 1;
        let wanted = secret.get(count..).unwrap_or_default();
        let Some(first) = wanted.first() else { return Read::Whole(place) };
        let Some(byte) = text.get(place) else {
            most = most.max(Some(count));
            continue;
        };
        let mut go = |way: (usize, usize)| {
            let waiting = ways.get(next..).unwrap_or_default();
            if waiting.len() < MOST_WAYS && !waiting.contains(&way) {
                ways.push(way);
            }
        };
        if byte == first || (*byte == b'+' && *first == b' ') {
            go((count + 1, place + 1));
        }
        if !MARKS.contains(byte) {
            continue;
        }
        for (unit, end) in spelled(text, place) {
            if wanted.starts_with(unit.as_bytes()) {
                go((count + unit.len, end));
            }
        }
        // An escape that the end of the text may have cut.
        if text.len() - place < LONGEST_ESCAPE {
            most = most.max(Some(count));
        }
    }
    most.map_or(Read::Nothing, Read::Start)
}

/// What escapes begin with.
const MARKS: &[u8] = b"\\%&";

/// What the escape at `at` spells, and where it ends; also what that spells in turn, where
/// it is the mark of another one: `\\u002B`, `%252B` and `&amp;#43;` are a plus.
fn spelled(text: &[u8], at: usize) -> impl Iterator<Item = (Unit, usize)> + '_ {
    let read = |mark: u8, place: usize| {
        let (unit, length) = escape(mark, text.get(place..)?)?;
        Some((unit, place + length))
    };
    let first = text.get(at).and_then(|mark| read(*mark, at + 1));
    let deeper = move |(unit, place): &(Unit, usize)| match unit.as_bytes() {
        [mark] if MARKS.contains(mark) => read(*mark, *place),
        _ => None,
    };
    std::iter::successors(first, deeper).take(DEPTH)
}

/// What one escape spells: a byte, or a character in UTF-8.
#[derive(Clone, Copy)]
struct Unit {
    bytes: [u8; 4],
    len: usize,
}

impl Unit {
    fn byte(byte: u8) -> Unit {
        Unit { bytes: [byte, 0, 0, 0], len: 1 }
    }

    fn character(code: u32) -> Option<Unit> {
        let mut bytes = [0; 4];
        let len = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Unit { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What `mark` and the start of `text` behind it spell, and how much of `text` that takes.
fn escape(mark: u8, text: &[u8]) -> Option<(Unit, usize)> {
    match mark {
        b'%' => Some((Unit::byte(u8::try_from(number(text.get(..2)?, 16)?).ok()?), 2)),
        b'&' => entity(text),
        _ => match *text.first()? {
            b'x' => Some((Unit::character(number(text.get(1..3)?, 16)?)?, 3)),
            b'U' => Some((Unit::character(number(text.get(1..9)?, 16)?)?, 9)),
            b'u' if text.get(1) == Some(&b'{') => {
                let length = text.iter().take(LONGEST_ESCAPE).position(|byte| *byte == b'}')?;
                Some((Unit::character(number(text.get(2..length)?, 16)?)?, length + 1))
            }
            b'u' => match number(text.get(1..5)?, 16)? {
                // Half of a character beyond U+FFFF; the other half follows.
                high @ 0xD800..=0xDBFF => {
                    let marks =
                        text.iter().skip(5).take(DEPTH).take_while(|byte| **byte == b'\\').count();
                    let digits = text.get(5 + marks..)?.strip_prefix(b"u")?.get(..4)?;
                    let low = number(digits, 16)?.checked_sub(0xDC00)?;
                    let code = 0x10000 + ((high - 0xD800) << 10) + low;
                    Some((Unit::character(code)?, 5 + marks + 5))
                }
                code => Some((Unit::character(code)?, 5)),
            },
            byte if byte.is_ascii_punctuation() => Some((Unit::byte(byte), 1)),
            _ => None,
        },
    }
}

/// A character reference of HTML, from behind its `&`.
fn entity(text: &[u8]) -> Option<(Unit, usize)> {
    /// Those of ASCII that are no letters and no digits.
    const NAMES: &[(&str, u8)] = &[
        ("amp", b'&'),
        ("apos", b'\''),
        ("ast", b'*'),
        ("bsol", b'\\'),
        ("colon", b':'),
        ("comma", b','),
        ("commat", b'@'),
        ("dollar", b'$'),
        ("equals", b'='),
        ("excl", b'!'),
        ("grave", b'`'),
        ("gt", b'>'),
        ("Hat", b'^'),
        ("lbrace", b'{'),
        ("lbrack", b'['),
        ("lcub", b'{'),
        ("lowbar", b'_'),
        ("lpar", b'('),
        ("lsqb", b'['),
        ("lt", b'<'),
        ("midast", b'*'),
        ("num", b'#'),
        ("percnt", b'%'),
        ("period", b'.'),
        ("plus", b'+'),
        ("quest", b'?'),
        ("quot", b'"'),
        ("rbrace", b'}'),
        ("rbrack", b']'),
        ("rcub", b'}'),
        ("rpar", b')'),
        ("rsqb", b']'),
        ("semi", b';'),
        ("sol", b'/'),
        ("verbar", b'|'),
        ("vert", b'|'),
    ];
    let end = text.iter().take(LONGEST_ESCAPE).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(text.get(..end)?).ok()?;
    let unit = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => Unit::character(number(digits.as_bytes(), 16)?)?,
            None => Unit::character(number(digits.as_bytes(), 10)?)?,
        },
        None => {
            NAMES.iter().find(|(known, _)| *known == name).map(|(_, byte)| Unit::byte(*byte))?
        }
    };
    Some((unit, end + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    // `from_str_radix` takes a sign.
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

/// Whether a word can begin at `at`: no letter, digit or underscore stands before it, other
/// than those of an escape, such as `\n`, `%20` or `\u0022`.
fn begins_word(text: &[u8], at: usize) -> bool {
    /// The letters and digits of `\u0022`.
    const LONGEST: usize = 5;
    let before = text.get(..at).unwrap_or_default();
    let letters = before.iter().rev().take_while(|byte| is_of_word(**byte)).take(LONGEST + 1);
    match letters.count() {
        0 => true,
        count => before
            .len()
            .checked_sub(count + 1)
            .and_then(|mark| before.get(mark))
            .is_some_and(|mark| matches!(mark, b'\\' | b'%')),
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str, secrets: &[&str]) -> String {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(secret)).collect();
        let mut text = text.to_owned();
        redact(&mut text, &secrets);
        text
    }

    const KEY: &str = "sk+A/b&c=d<é😀-_.~\"'9Z";

    /// Ways to spell a character.
    fn spellings(c: char) -> Vec<String> {
        let bytes = c.to_string().into_bytes();
        let percent = |digits: fn(&u8) -> String| bytes.iter().map(digits).collect::<String>();
        let mut units = [0; 2];
        let units: String =
            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let code = u32::from(c);
        let mut ways = vec![
            c.to_string(),
            units.clone(),
            units.to_uppercase().replace("\\U", "\\u"),
            units.replace('\\', "\\\\"),
            units.replace('\\', "\\\\\\\\"),
            percent(|byte| format!("%{byte:02X}")),
            percent(|byte| format!("%{byte:02x}")),
            percent(|byte| format!("%25{byte:02x}")),
            format!("&#{code};"),
            format!("&#x{code:x};"),
            format!("&#X{code:04X};"),
            format!("&amp;#{code};"),
            format!("\\u0026#{code};"),
            format!("\\U{code:08x}"),
            format!("\\u{{{code:x}}}"),
        ];
        if c.is_ascii() {
            ways.push(format!("\\x{code:02x}"));
        }
        if c.is_ascii_punctuation() {
            ways.push(format!("\\{c}"));
            ways.push(format!("\\\\\\{c}"));
        }
        let names = [('+', "plus"), ('/', "sol"), ('&', "amp"), ('<', "lt"), ('"', "quot")];
        ways.extend(names.iter().filter(|(it, _)| *it == c).map(|(_, name)| format!("&{name};")));
        ways
    }

    #[test]
    fn secret_is_found_however_its_characters_are_spelled() {
        let each: Vec<Vec<String>> = KEY.chars().map(spellings).collect();
        for way in 0..20 {
            let alike: String = each.iter().map(|ways| ways[way % ways.len()].as_str()).collect();
            assert_eq!(redacted(&format!("<{alike}>"), &[KEY]), "<[redacted]>", "{alike}");
        }
        for _ in 0..2000 {
            let mixed: String =
                each.iter().map(|ways| ways[fastrand::usize(..ways.len())].as_str()).collect();
            assert_eq!(redacted(&format!("<{mixed}>"), &[KEY]), "<[redacted]>", "{mixed}");
        }
        assert_eq!(redacted("a+secret+of+words.", &["secret of words"]), "a+[redacted].");
    }

    #[test]
    fn secret_that_looks_like_an_escape_is_found() {
        for secret in ["100%41%25%%42", "\\\\\\\\\\n\\u0041", "&amp;&#65;&lt"] {
            assert_eq!(redacted(secret, &[secret]), BLOT);
            let json = serde_json::to_string(secret).unwrap();
            assert_eq!(redacted(&json, &[secret]), format!("\"{BLOT}\""));
            assert_eq!(
                redacted(&serde_json::to_string(&json).unwrap(), &[secret]),
                "\"\\\"[redacted]\\\"\""
            );
        }
    }

    #[test]
    fn secret_is_found_in_every_company() {
        let short = "pa55word";
        let long = "0123456789abcdefXYZ";
        for (before, after) in [
            ("", ""),
            ("Bearer ", "."),
            ("key=", "&x=1"),
            ("\"", "\""),
            ("'", "', or another"),
            ("...", "..."),
            ("(", ")"),
            ("first-", "-last"),
            ("\n", "\n"),
            ("\\n", "\\n"),
            ("%20", "%20"),
            ("\\u0022", "\\u0022"),
            ("\\\"", "\\\""),
            ("&quot;", "&quot;"),
            ("ключ", "ключ"),
        ] {
            for secret in [short, long] {
                let text = format!("{before}{secret}{after}");
                assert_eq!(redacted(&text, &[secret]), format!("{before}{BLOT}{after}"));
            }
        }
        assert_eq!(redacted("Bearer0123456789abcdefXYZ1", &[long]), "Bearer[redacted]1");
    }

    #[test]
    fn word_that_a_secret_is_only_a_part_of_is_left_alone() {
        for (text, secret) in [
            ("invalid_api_key", "k"),
            ("invalid_api_key", "api_key"),
            ("invalid_password", "password"),
            ("passwords", "password"),
            ("say null", "null"),
            ("{}", ""),
        ] {
            assert_eq!(redacted(text, &[secret]), text, "{secret}");
        }
    }

    #[test]
    fn secrets_that_overlap_or_contain_each_other_leave_nothing() {
        let secrets = ["abcdefgh-ijkl", "ijkl-mnopqrst", "abcdefgh"];
        assert_eq!(redacted("abcdefgh-ijkl-mnopqrst", &secrets), BLOT);
        assert_eq!(redacted("abcdefgh ijkl", &secrets), "[redacted] ijkl");
    }

    #[test]
    fn start_of_a_secret_at_which_a_text_was_cut_is_redacted() {
        let key = "sk-0123456789+abcdef";
        for length in 8..key.len() {
            assert_eq!(redacted(&format!("key {}", &key[..length]), &[key]), "key [redacted]");
        }
        for cut in ["\\u00", "%2", "&#4", "\\", "%", "&"] {
            let text = format!("key sk-0123456789{cut}");
            assert_eq!(redacted(&text, &[key]), "key [redacted]", "{text}");
        }
        assert_eq!(redacted("key sk-0123", &[key]), "key sk-0123");
        assert_eq!(redacted("sk-01234567 and more", &[key]), "sk-01234567 and more");
    }

    #[test]
    fn text_in_pieces_is_redacted_as_the_whole_is() {
        let secrets: Vec<Secret> = [KEY, "pa55word", "word word word"].map(Secret::new).into();
        let texts = [
            format!("{{\"a\":\"{}\"}} é😀 end", serde_json::to_string(KEY).unwrap()),
            format!("{KEY}{KEY} pa55word pa55words _pa55word \\npa55word %20pa55word"),
            "pa55word word word, é, pa55word%20word%20word and \\u0070a55word".to_owned(),
            format!("cut: {}", KEY.split('😀').next().unwrap()),
        ];
        for text in texts {
            let mut whole = text.clone();
            redact(&mut whole, &secrets);
            assert!(whole.contains(BLOT), "{whole}");
            for size in 1..=text.len() {
                let mut pieces = Redacted::default();
                let mut given = Vec::new();
                for piece in text.as_bytes().chunks(size) {
                    let sure = pieces.push(piece, &secrets);
                    assert!(std::str::from_utf8(&sure).is_ok(), "characters stay whole");
                    given.extend(sure);
                }
                given.extend(pieces.end(&secrets));
                assert_eq!(String::from_utf8(given).unwrap(), whole, "{size}");
            }
        }
    }

    #[test]
    fn big_body_and_many_secrets_take_no_time() {
        let many: Vec<String> = (0..64).map(|n| format!("sk-proj-{n:040}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let start = std::time::Instant::now();
        for text in ["\\", "sk-proj-0", "%25", "&amp;", "ab cd "] {
            redacted(&text.repeat((256 << 10) / text.len()), &many);
        }
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }
}

#[cfg(test)]
pub(crate) mod wiping {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    /// Compiles for text that is wiped when it is dropped, which a `String` is not.
    pub(crate) fn is_wiped(_: &impl ZeroizeOnDrop) {}

    /// Memory of this process, which a program on Linux can read as a file.
    #[cfg(target_os = "linux")]
    pub(crate) mod memory {
        use std::fs::File;
        use std::os::unix::fs::FileExt;

        const SIZE: usize = 1 << 10;

        /// A text of `letter` that is long enough to be found again.
        pub(crate) fn text_of(letter: char) -> String {
            String::from(letter).repeat(SIZE)
        }

        pub(crate) fn address_of(text: &str) -> u64 {
            text.as_ptr().addr() as u64
        }

        /// Whether most of a text of `letter` is there, dropped or not. An allocator writes
        /// over the start of what is free, and may give it back to the system.
        pub(crate) fn holds(letter: char, address: u64) -> bool {
            let memory = File::open("/proc/self/mem").unwrap();
            // On the stack: what is free may be what an allocation would get.
            let mut found = [0; SIZE];
            memory.read_exact_at(&mut found, address).is_ok()
                && found.iter().filter(|byte| char::from(**byte) == letter).count() > SIZE / 2
        }
    }

    #[test]
    fn secret_is_wiped_when_it_is_dropped() {
        let secret = Secret::new("a key");
        is_wiped(&secret.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_of_a_dropped_secret_is_in_memory() {
        let secret = Secret::new(&memory::text_of('S'));
        let address = memory::address_of(secret.expose());
        assert!(memory::holds('S', address));
        drop(secret);
        assert!(!memory::holds('S', address));
    }
}
