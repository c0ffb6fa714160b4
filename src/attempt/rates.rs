//! [`Rates`]: the rate limits that a response tells of, in whichever headers.

use std::time::{SystemTime, UNIX_EPOCH};

/// What is known of one rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How much is allowed in a period.
    pub(crate) limit: Option<i64>,
    /// How much of it is left.
    pub(crate) remaining: Option<i64>,
    /// In how many milliseconds all of it is there again.
    pub(crate) reset_ms: Option<i64>,
}

/// The limits on requests and on tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) requests: Rate,
    pub(crate) tokens: Rate,
}

/// The names of headers; `*` stands for `limit`, `remaining` and `reset`. The first that a
/// response has counts.
const REQUESTS: [&str; 7] = [
    "x-ratelimit-*-requests",
    "anthropic-ratelimit-requests-*",
    "x-ratelimit-*-requests-minute",
    "x-ratelimit-*-req-minute",
    "x-ratelimit-*-requests-day",
    "x-ratelimit-*",
    "ratelimit-*",
];

const TOKENS: [&str; 6] = [
    "x-ratelimit-*-tokens",
    "anthropic-ratelimit-tokens-*",
    "anthropic-ratelimit-input-tokens-*",
    "x-ratelimit-*-tokens-minute",
    "x-ratelimit-*-tokens-day",
    "x-tokenlimit-*",
];

/// What a number stands for from here on, when it says when a period ends: a time, no longer a
/// number of seconds to wait.
const SMALLEST_TIME: f64 = 1e9;

/// The same of a time in milliseconds.
const SMALLEST_TIME_MS: f64 = 1e11;

/// How many limits and policies of the draft are read. Each limit is looked for among the
/// policies: without a bound, a server could make that take minutes.
const MOST_LIMITS: usize = 64;

impl Rates {
    /// What the headers of a response say that came at `time`.
    pub(crate) fn of(header: impl Fn(&str) -> Option<String>, time: SystemTime) -> Rates {
        // Times are by the server's clock.
        let date = header("date").and_then(|date| httpdate::parse_http_date(&date).ok());
        let now = date.unwrap_or(time);
        let first = |patterns: &[&str]| {
            let rates = patterns.iter().map(|pattern| {
                let value = |what| header(&pattern.replace('*', what));
                Rate {
                    limit: value("limit").and_then(|text| number(&text)),
                    remaining: value("remaining").and_then(|text| number(&text)),
                    reset_ms: value("reset").and_then(|text| reset_ms(&text, now)),
                }
            });
            rates.into_iter().find(|rate| *rate != Rate::default())
        };
        let draft = || {
            let policy = header("ratelimit-policy").unwrap_or_default();
            of_draft(&header("ratelimit").unwrap_or_default(), &policy)
        };
        let (requests, tokens) = (first(&REQUESTS), first(&TOKENS));
        Rates {
            requests: requests.unwrap_or_else(|| draft().requests),
            tokens: tokens.unwrap_or_else(|| draft().tokens),
        }
    }
}

/// What the fields `RateLimit` and `RateLimit-Policy` say (draft-ietf-httpapi-ratelimit-headers):
/// `"default";r=50;t=30` with `"default";q=100;w=60`, or in earlier versions
/// `limit=100, remaining=50, reset=30`. Of several limits, the one with the least left.
fn of_draft(limits: &str, policies: &str) -> Rates {
    let mut rates = Rates::default();
    let policies: Vec<&str> = split(policies, ',').take(MOST_LIMITS).collect();
    if parameter(limits, ',', "remaining").is_some() {
        let value = |name| parameter(limits, ',', name).and_then(number);
        rates.requests.limit = value("limit");
        rates.requests.remaining = value("remaining");
        rates.requests.reset_ms = value("reset").map(|seconds| seconds.saturating_mul(1000));
        return rates;
    }
    for limit in split(limits, ',').take(MOST_LIMITS) {
        let Some(remaining) = parameter(limit, ';', "r").and_then(number) else { continue };
        let name = split(limit, ';').next();
        let named = policies.iter().find(|policy| split(policy, ';').next() == name);
        // Some name the policy otherwise.
        let only = policies.first().filter(|_| policies.len() == 1);
        let policy = named.or(only).copied().unwrap_or_default();
        let unit = parameter(policy, ';', "qu").or(name).unwrap_or_default();
        let rate = match unit.to_ascii_lowercase().contains("token") {
            true => &mut rates.tokens,
            false => &mut rates.requests,
        };
        if rate.remaining.is_none_or(|least| remaining < least) {
            let seconds = parameter(limit, ';', "t").and_then(number);
            *rate = Rate {
                limit: parameter(policy, ';', "q").and_then(number),
                remaining: Some(remaining),
                reset_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
            };
        }
    }
    rates
}

/// The parts of `text` between separators that are in no quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = text.split(move |c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    });
    parts.map(str::trim)
}

/// The value of `name=value` among the parts of `text`.
fn parameter<'t>(text: &'t str, separator: char, name: &str) -> Option<&'t str> {
    let pairs = split(text, separator).filter_map(|part| part.split_once('='));
    let mut values = pairs.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// The number that `text` begins with: `100, 100;w=60` says 100. None below 0: that is said where
/// there is no limit.
fn number(text: &str) -> Option<i64> {
    let first = text.split([',', ';']).next()?.trim();
    whole(first.parse().ok()?)
}

/// `number` without its fraction; none that is below 0 or beyond all sense.
fn whole(number: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "an i64 has room for that")]
    (0.0..1e18).contains(&number).then_some(number as i64)
}

/// How many milliseconds after `now` a period ends: it is given in seconds, as a duration such as
/// `6m0s`, or as a time.
fn reset_ms(text: &str, now: SystemTime) -> Option<i64> {
    let text = text.trim().trim_matches('"');
    let until = |time_ms: f64| {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3;
        (time_ms - now).max(0.0).round()
    };
    let ms = if let Ok(number) = text.parse::<f64>() {
        match number {
            SMALLEST_TIME_MS.. => until(number),
            SMALLEST_TIME.. => until(number * 1e3),
            seconds => (seconds * 1e3).round(),
        }
    } else if let Ok(time) = httpdate::parse_http_date(text) {
        until(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64() * 1e3)
    } else if let Some(time_ms) = rfc3339_ms(text) {
        until(time_ms)
    } else {
        duration_ms(text)?.round()
    };
    whole(ms)
}

/// A duration as Go writes it: `1s`, `6m0s`, `1h2m3.5s`, `20ms`.
fn duration_ms(mut text: &str) -> Option<f64> {
    let mut ms = None;
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, rest) = text.split_at_checked(digits)?;
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(end)?;
        let length = match unit.trim() {
            "d" => 24.0 * 60.0 * 60.0 * 1e3,
            "h" => 60.0 * 60.0 * 1e3,
            "m" => 60.0 * 1e3,
            "s" => 1e3,
            "ms" => 1.0,
            "us" | "µs" | "μs" => 1e-3,
            "ns" => 1e-6,
            _ => return None,
        };
        ms = Some(ms.unwrap_or(0.0) + count.parse::<f64>().ok()? * length);
        text = rest;
    }
    ms
}

/// A time such as `2026-01-02T03:04:05.5Z`, in milliseconds since 1970.
fn rfc3339_ms(text: &str) -> Option<f64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone)?;
    let mut time = time.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (time.next()??, time.next()??, time.next()??);
    let offset = match zone.split_at_checked(1)? {
        ("+", ahead) => minutes_of(ahead)?,
        ("-", behind) => -minutes_of(behind)?,
        (_, "") => 0.0,
        _ => return None,
    };
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = f64::from(days_before(year, month) + day - 1);
    Some((((days * 24.0 + hours) * 60.0 + minutes - offset) * 60.0 + seconds) * 1e3)
}

/// A difference between clocks such as `05:30`, in minutes.
fn minutes_of(zone: &str) -> Option<f64> {
    let (hours, minutes) = zone.split_once(':')?;
    Some(hours.parse::<f64>().ok()? * 60.0 + minutes.parse::<f64>().ok()?)
}

/// The days from the start of 1970 to that of a month.
fn days_before(year: u32, month: u32) -> u32 {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days = |year: u32| year / 4 - year / 100 + year / 400;
    let is_leap = leap_days(year) > leap_days(year - 1);
    let in_year = usize::try_from(month - 1).ok().and_then(|month| BEFORE.get(month));
    let leap_days = leap_days(year - 1) - leap_days(1969) + u32::from(is_leap && month > 2);
    (year - 1970) * 365 + leap_days + in_year.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2026-01-02T03:04:05Z.
    const NOW: Duration = Duration::from_secs(1_767_323_045);

    fn rates(headers: &[(&str, &str)]) -> Rates {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| (*value).to_owned())
        };
        Rates::of(header, UNIX_EPOCH + NOW)
    }

    fn shown(rate: Rate) -> [i64; 3] {
        [rate.limit, rate.remaining, rate.reset_ms].map(|number| number.unwrap_or(-1))
    }

    #[test]
    fn limits_are_read_in_every_family_of_headers() {
        const NONE: [i64; 3] = [-1; 3];
        for (headers, requests, tokens) in [
            (&[("date", "Fri, 02 Jan 2026 03:04:05 GMT")][..], NONE, NONE),
            (
                // OpenAI, Azure, Groq, xAI
                &[
                    ("x-ratelimit-limit-requests", "60"),
                    ("x-ratelimit-limit-tokens", "150000"),
                    ("x-ratelimit-remaining-requests", "59"),
                    ("x-ratelimit-remaining-tokens", "149984"),
                    ("x-ratelimit-reset-requests", "1s"),
                    ("x-ratelimit-reset-tokens", "6m0s"),
                ],
                [60, 59, 1000],
                [150_000, 149_984, 360_000],
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-limit", "50"),
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2026-01-02T03:04:06Z"),
                    ("anthropic-ratelimit-tokens-limit", "40000"),
                    ("anthropic-ratelimit-tokens-remaining", "39000"),
                    ("anthropic-ratelimit-tokens-reset", "2026-01-02T03:05:05Z"),
                    ("anthropic-ratelimit-input-tokens-limit", "1"),
                ],
                [50, 0, 1000],
                [40_000, 39_000, 60_000],
            ),
            (&[("anthropic-ratelimit-input-tokens-remaining", "7")], NONE, [-1, 7, -1]),
            (
                &[
                    ("ratelimit-limit", "100, 100;w=60"),
                    ("ratelimit-remaining", "50"),
                    ("ratelimit-reset", "30"),
                ],
                [100, 50, 30_000],
                NONE,
            ),
            (
                &[
                    ("ratelimit", "\"default\";r=50;t=30"),
                    ("ratelimit-policy", "\"other\";q=5;w=1, \"default\";q=100;w=60"),
                ],
                [100, 50, 30_000],
                NONE,
            ),
            (
                // Several limits: the one with the least left.
                &[
                    (
                        "ratelimit",
                        "\"day, all\";r=50;t=3000, \"minute\";r=4;t=30, \"tpm\";r=900;t=9",
                    ),
                    (
                        "ratelimit-policy",
                        "\"day, all\";q=100, \"minute\";q=10, \"tpm\";q=1000;qu=\"tokens\"",
                    ),
                ],
                [10, 4, 30_000],
                [1000, 900, 9000],
            ),
            (
                // Hugging Face names its policy otherwise.
                &[
                    ("ratelimit", "\"api\";r=499;t=297"),
                    ("ratelimit-policy", "\"fixed window\";\"api\";q=500;w=300"),
                ],
                [500, 499, 297_000],
                NONE,
            ),
            (&[("ratelimit", "limit=100, remaining=50, reset=5")], [100, 50, 5000], NONE),
            (&[("ratelimit", "\"default\";r=50;t=30")], [-1, 50, 30_000], NONE),
            (
                // Cerebras
                &[
                    ("x-ratelimit-limit-requests-day", "14400"),
                    ("x-ratelimit-remaining-requests-day", "14399"),
                    ("x-ratelimit-reset-requests-day", "33011.382867"),
                    ("x-ratelimit-limit-tokens-minute", "60000"),
                ],
                [14_400, 14_399, 33_011_383],
                [60_000, -1, -1],
            ),
            (
                // OpenRouter
                &[
                    ("x-ratelimit-limit", "20"),
                    ("x-ratelimit-remaining", "19"),
                    ("x-ratelimit-reset", "1767323046500"),
                ],
                [20, 19, 1500],
                NONE,
            ),
            // The more specific family counts.
            (
                &[
                    ("ratelimit", "\"edge\";r=9;t=9"),
                    ("x-ratelimit-limit", "8"),
                    ("x-ratelimit-remaining-requests", "7"),
                ],
                [-1, 7, -1],
                NONE,
            ),
            (
                &[
                    ("x-ratelimit-limit-requests", "many"),
                    ("x-ratelimit-remaining-requests", "-1"),
                    ("x-ratelimit-reset-requests", "soon"),
                    ("ratelimit", "\";r=1"),
                    ("ratelimit-policy", ";;,\"\"=,q"),
                ],
                NONE,
                NONE,
            ),
        ] {
            let rates = rates(headers);
            assert_eq!(
                (shown(rates.requests), shown(rates.tokens)),
                (requests, tokens),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn end_of_a_period_is_read_in_every_form() {
        for (text, ms) in [
            ("1s", 1000),
            ("6m0s", 360_000),
            ("20ms", 20),
            ("1h2m3.5s", 3_723_500),
            ("2m59.56s", 179_560),
            ("1d", 86_400_000),
            ("1500µs", 2),
            ("0s", 0),
            ("0", 0),
            (" 30 ", 30_000),
            ("0.25", 250),
            ("1767323047", 2000),
            ("1767323045999", 999),
            ("1767323000", 0),
            ("2026-01-02T03:04:05Z", 0),
            ("2026-01-02T03:04:05.25Z", 250),
            ("2026-01-02T08:34:06+05:30", 1000),
            ("2026-01-01T23:04:07-04:00", 2000),
            ("2026-03-01T03:04:05Z", 58 * 86_400_000),
            ("2028-03-01T03:04:05Z", (2 * 365 + 59) * 86_400_000),
            ("1999-12-31T23:59:59Z", 0),
            ("Fri, 02 Jan 2026 03:05:05 GMT", 60_000),
        ] {
            assert_eq!(reset_ms(text, UNIX_EPOCH + NOW), Some(ms), "{text}");
        }
        for text in [
            "",
            "s",
            "1",
            "1x",
            "1s2",
            "1.2.3s",
            "-5",
            "nan",
            "inf",
            "soon",
            "2026-01-02",
            "é",
            "1é",
            "2026-13-02T00:00:00Z",
            "0000-01-02T00:00:00Z",
            "2026-01-02T00:00Z",
            "2026-01-02T00:00:00+1",
        ] {
            let read = reset_ms(text, UNIX_EPOCH + NOW);
            assert_eq!(read, (text == "1").then_some(1000), "{text}");
        }
    }

    #[test]
    fn times_are_by_the_clock_of_the_server() {
        let headers = [
            ("Date", "Fri, 02 Jan 2026 04:04:05 GMT"),
            ("anthropic-ratelimit-requests-reset", "2026-01-02T04:04:15Z"),
        ];
        assert_eq!(rates(&headers).requests.reset_ms, Some(10_000));
    }

    #[test]
    fn only_so_many_limits_and_policies_are_read() {
        let (name, last) = (|at: usize| format!("p{at}"), MOST_LIMITS);
        let limits: Vec<String> =
            (0..=last).map(|at| format!("{};r={}", name(at), last - at)).collect();
        let policies: Vec<String> =
            (0..=last).rev().map(|at| format!("{};q=100", name(at))).collect();
        let (limits, policies) = (limits.join(", "), policies.join(", "));
        let read = rates(&[("ratelimit", &limits), ("ratelimit-policy", &policies)]);
        // The last limit, and the policy that is named last, would say 0.
        assert_eq!(shown(read.requests), [100, 1, -1]);
        let read = rates(&[("ratelimit", "p0;r=5"), ("ratelimit-policy", &policies)]);
        assert_eq!(shown(read.requests), [-1, 5, -1]);
    }
}
