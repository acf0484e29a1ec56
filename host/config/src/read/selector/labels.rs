//! Label selectors: `app=web,tier in (a, b),!canary`.

use std::collections::BTreeSet;

use super::names::{key_problems, value_problems};
use crate::kubernetes::{LabelOperator, LabelRequirement};
use crate::read::quoted;

/// Checks a selector; the error is client-go's text.
pub(in crate::read) fn check(selector: &str) -> Result<(), String> {
    parse(selector).map(drop)
}

/// What a selector requires; the error is client-go's text.
pub(crate) fn parse(selector: &str) -> Result<Vec<LabelRequirement>, String> {
    Parser {
        tokens: tokens(selector),
        position: 0,
    }
    .selector()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    End,
    Identifier,
    In,
    NotIn,
    Comma,
    Open,
    Close,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
}

#[derive(Clone, Copy, Debug)]
struct Token<'s> {
    kind: Kind,
    text: &'s str,
}

const END: Token<'static> = Token {
    kind: Kind::End,
    text: "",
};

fn tokens(selector: &str) -> Vec<Token<'_>> {
    let is_special = |c: char| "=!(),<>".contains(c);
    let is_blank = |c: char| " \t\r\n".contains(c);
    let mut rest = selector.trim_start_matches(is_blank);
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else if is_special(first) {
            1
        } else {
            rest.find(|c| is_special(c) || is_blank(c))
                .unwrap_or(rest.len())
        };
        let (text, tail) = rest.split_at(length);
        tokens.push(Token {
            kind: kind_of(text),
            text,
        });
        rest = tail.trim_start_matches(is_blank);
    }
    tokens
}

fn kind_of(text: &str) -> Kind {
    match text {
        "in" => Kind::In,
        "notin" => Kind::NotIn,
        "," => Kind::Comma,
        "(" => Kind::Open,
        ")" => Kind::Close,
        "!" => Kind::Not,
        "=" => Kind::Equals,
        "==" => Kind::DoubleEquals,
        "!=" => Kind::NotEquals,
        ">" => Kind::Greater,
        "<" => Kind::Less,
        _ => Kind::Identifier,
    }
}

/// A descent over the tokens, step by step as client-go's, so that the first error is the same.
struct Parser<'s> {
    tokens: Vec<Token<'s>>,
    position: usize,
}

// === impl Parser ===

impl<'s> Parser<'s> {
    /// The next token; `in` and `notin` are plain words but where an operator must stand.
    fn peek(&self) -> Token<'s> {
        let token = self.tokens.get(self.position).copied().unwrap_or(END);
        match token.kind {
            Kind::In | Kind::NotIn => Token {
                kind: Kind::Identifier,
                ..token
            },
            _ => token,
        }
    }

    fn next(&mut self) -> Token<'s> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn next_operator(&mut self) -> Token<'s> {
        let token = self.tokens.get(self.position).copied().unwrap_or(END);
        self.position += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<LabelRequirement>, String> {
        let mut requirements = Vec::new();
        loop {
            let token = self.peek();
            match token.kind {
                Kind::Identifier | Kind::Not => {}
                Kind::End => return Ok(requirements),
                _ => {
                    let found = token.text;
                    return Err(format!(
                        "found '{found}', expected: !, identifier, or 'end of string'"
                    ));
                }
            }
            let requirement = self.requirement();
            let named = |error| format!("unable to parse requirement: {error}");
            requirements.push(requirement.map_err(named)?);
            let token = self.next();
            match token.kind {
                Kind::End => return Ok(requirements),
                Kind::Comma => {
                    let token = self.peek();
                    if !matches!(token.kind, Kind::Identifier | Kind::Not) {
                        return Err(format!(
                            "found '{}', expected: identifier after ','",
                            token.text
                        ));
                    }
                }
                _ => {
                    return Err(format!(
                        "found '{}', expected: ',' or 'end of string'",
                        token.text
                    ));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<LabelRequirement, String> {
        let mut token = self.next();
        let negated = token.kind == Kind::Not;
        if negated {
            token = self.next();
        }
        if token.kind != Kind::Identifier {
            return Err(format!("found '{}', expected: identifier", token.text));
        }
        let key = token.text;
        let problems = key_problems(key);
        if !problems.is_empty() {
            return Err(format!(
                "<nil>: Invalid value: {}: {}",
                quoted(key),
                problems.join("; ")
            ));
        }
        if negated || matches!(self.peek().kind, Kind::End | Kind::Comma) {
            let operator = if negated {
                LabelOperator::Absent
            } else {
                LabelOperator::Present
            };
            return Ok(LabelRequirement::new(key, operator, []));
        }
        let token = self.next_operator();
        let operator = match token.kind {
            Kind::In | Kind::Equals | Kind::DoubleEquals => LabelOperator::In,
            Kind::NotIn | Kind::NotEquals => LabelOperator::NotIn,
            Kind::Greater => LabelOperator::Greater,
            Kind::Less => LabelOperator::Less,
            _ => {
                let found = token.text;
                return Err(format!(
                    "found '{found}', expected: in, notin, =, ==, !=, gt, lt"
                ));
            }
        };
        let values = match token.kind {
            Kind::In | Kind::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        check_values(key, operator, &values)?;
        Ok(LabelRequirement::new(key, operator, values))
    }

    fn values(&mut self) -> Result<BTreeSet<&'s str>, String> {
        let open = self.next();
        if open.kind != Kind::Open {
            return Err(format!("found '{}' expected: '('", open.text));
        }
        let first = self.peek();
        match first.kind {
            Kind::Identifier | Kind::Comma => {
                let values = self.identifiers()?;
                if self.next().kind != Kind::Close {
                    return Err(format!("found '{}', expected: ')'", first.text));
                }
                Ok(values)
            }
            Kind::Close => {
                self.next();
                Ok(BTreeSet::from([""]))
            }
            _ => Err(format!(
                "found '{}', expected: ',', ')' or identifier",
                first.text
            )),
        }
    }

    /// Words between commas; a word may be missing, which is the empty value.
    fn identifiers(&mut self) -> Result<BTreeSet<&'s str>, String> {
        let mut values = BTreeSet::new();
        loop {
            let token = self.next();
            let following = self.peek();
            match token.kind {
                Kind::Identifier => {
                    values.insert(token.text);
                    match following.kind {
                        Kind::Comma => {}
                        Kind::Close => return Ok(values),
                        _ => {
                            return Err(format!(
                                "found '{}', expected: ',' or ')'",
                                following.text
                            ));
                        }
                    }
                }
                Kind::Comma => {
                    if values.is_empty() || matches!(following.kind, Kind::Close | Kind::Comma) {
                        values.insert("");
                    }
                    if following.kind == Kind::Close {
                        return Ok(values);
                    }
                }
                _ => {
                    return Err(format!(
                        "found '{}', expected: ',', or identifier",
                        token.text
                    ));
                }
            }
        }
    }

    fn exact_value(&mut self) -> Result<BTreeSet<&'s str>, String> {
        if matches!(self.peek().kind, Kind::End | Kind::Comma) {
            return Ok(BTreeSet::from([""]));
        }
        let token = self.next();
        if token.kind != Kind::Identifier {
            return Err(format!("found '{}', expected: identifier", token.text));
        }
        Ok(BTreeSet::from([token.text]))
    }
}

fn check_values(key: &str, operator: LabelOperator, values: &BTreeSet<&str>) -> Result<(), String> {
    let mut errors = Vec::new();
    if matches!(operator, LabelOperator::Greater | LabelOperator::Less) {
        for (index, value) in values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.parse::<i64>().is_err())
        {
            let value = quoted(value);
            errors.push(format!(
                "values[{index}]: Invalid value: {value}: for 'Gt', 'Lt' operators, the value must be an integer"
            ));
        }
    }
    for (index, value) in values.iter().enumerate() {
        let problems = value_problems(value);
        if !problems.is_empty() {
            let (value, problems) = (quoted(value), problems.join("; "));
            errors.push(format!(
                "values[{index}][{key}]: Invalid value: {value}: {problems}"
            ));
        }
    }
    match &errors[..] {
        [] => Ok(()),
        [error] => Err(error.clone()),
        errors => Err(format!("[{}]", errors.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_every_form_are_accepted() {
        for selector in [
            "",
            "app",
            "!app",
            "app=web",
            "app==web,tier!=db",
            "x in (foo,,baz),y,z notin ()",
            "in in (in, notin)",
            "app=",
            "app!=,b",
            "n > 5, m<3",
            "kubernetes.io/os=linux",
            "x in (,)",
        ] {
            assert_eq!(check(selector), Ok(()), "{selector}");
        }
    }

    #[test]
    fn selectors_are_refused_with_the_words_of_kubernetes() {
        for (selector, error) in [
            ("app=a=b", "found '=', expected: ',' or 'end of string'"),
            (
                ",app",
                "found ',', expected: !, identifier, or 'end of string'",
            ),
            ("app,", "found '', expected: identifier after ','"),
            (
                "!",
                "unable to parse requirement: found '', expected: identifier",
            ),
            (
                "app in",
                "unable to parse requirement: found '' expected: '('",
            ),
            (
                "a in (b",
                "unable to parse requirement: found '', expected: ',' or ')'",
            ),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(check(selector), Err(error.to_owned()), "{selector}");
        }
    }
}
