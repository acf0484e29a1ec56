//! The syntax of selectors.

use super::{Matcher, Test, is_word};

/// A place in the text, and what is wrong there.
type Problem = (usize, String);

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// Reads all matchers between the braces.
pub(super) fn matchers(text: &str) -> Result<Vec<Matcher>, Problem> {
    let mut parser = Parser { text, at: 0 };
    parser.space();
    if !parser.take("{") {
        return parser.fail("expected `{`");
    }
    let mut matchers = Vec::new();
    loop {
        parser.space();
        if parser.take("}") {
            break;
        }
        matchers.push(parser.matcher()?);
        parser.space();
        if !parser.take(",") && !parser.rest().starts_with('}') {
            return parser.fail("expected `,` or `}`");
        }
    }
    parser.space();
    if parser.rest().is_empty() {
        Ok(matchers)
    } else {
        parser.fail("unexpected text behind `}`")
    }
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn fail<T>(&self, problem: &str) -> Result<T, Problem> {
        Err((self.at, problem.to_owned()))
    }

    fn matcher(&mut self) -> Result<Matcher, Problem> {
        let name = self.name()?;
        self.space();
        let operators = ["=~", "!~", "!=", "="];
        let Some(operator) = operators.into_iter().find(|operator| self.take(operator)) else {
            return self.fail("expected `=`, `!=`, `=~` or `!~`");
        };
        self.space();
        let at = self.at;
        let Some(value) = self.quoted()? else {
            return self.fail("expected a quoted value");
        };
        let test = Test::new(operator, value).map_err(|problem| (at, problem))?;
        Ok(Matcher { name, test })
    }

    fn name(&mut self) -> Result<String, Problem> {
        let at = self.at;
        if let Some(name) = self.quoted()? {
            let problem = || (at, "a label name must not be empty".to_owned());
            return if name.is_empty() {
                Err(problem())
            } else {
                Ok(name)
            };
        }
        let rest = self.rest();
        let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let word = &rest[..rest.find(|c| !is_inside(c)).unwrap_or(rest.len())];
        if !is_word(word) {
            return self.fail("expected a label name or `}`");
        }
        self.at += word.len();
        Ok(word.to_owned())
    }

    /// A quoted text; none if none begins here.
    fn quoted(&mut self) -> Result<Option<String>, Problem> {
        let start = self.at;
        let Some(quote @ ('"' | '\'' | '`')) = self.rest().chars().next() else {
            return Ok(None);
        };
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err((start, "the quoted text has no end".to_owned()));
            };
            match next {
                _ if next == quote => break,
                '\n' if quote != '`' => {
                    return Err((start, "the quoted text has no end".to_owned()));
                }
                '\\' if quote != '`' => self.escape(&mut bytes)?,
                _ => {
                    bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += next.len_utf8();
                }
            }
        }
        self.at += 1;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| (start, "the quoted text is not valid UTF-8".to_owned()))?;
        Ok(Some(text))
    }

    /// Go's escapes: some letters, and the number of a byte or of a character.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Problem> {
        let unknown = |at| (at, "unknown escape".to_owned());
        let rest = &self.rest()[1..];
        let Some(kind) = rest.chars().next() else {
            return Err(unknown(self.at));
        };
        let simple = match kind {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' | '"' | '\'' => kind as u8,
            _ => 0,
        };
        if simple != 0 {
            bytes.push(simple);
            self.at += 2;
            return Ok(());
        }
        let (skipped, digits, radix) = match kind {
            'x' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            '0'..='7' => (0, 3, 8),
            _ => return Err(unknown(self.at)),
        };
        let code = rest.get(skipped..skipped + digits);
        let code = code.filter(|code| code.chars().all(|digit| digit.is_digit(radix)));
        let code = code.and_then(|code| u32::from_str_radix(code, radix).ok());
        let code = code.ok_or_else(|| unknown(self.at))?;
        if matches!(kind, 'u' | 'U') {
            let character = char::from_u32(code).ok_or_else(|| unknown(self.at))?;
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            bytes.push(u8::try_from(code).map_err(|_| unknown(self.at))?);
        }
        self.at += 1 + skipped + digits;
        Ok(())
    }
}
