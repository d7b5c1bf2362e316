//! SPDX licence expressions, as far as crates use them: `AND`, `OR`, `WITH`, brackets, and the `/`
//! that meant `OR` before.
//!
//! Source: the SPDX specification 2.3, annex D. Departure: `GPL-2.0+` is one name and not a range,
//! because every name we allow is listed in full.

use std::iter::Peekable;
use std::vec::IntoIter;

/// Whether whoever accepts the licences that `allowed` answers true to may use the code.
///
/// `allowed` is asked for one licence at a time, with its exception where it has one:
/// `Apache-2.0 WITH LLVM-exception`.
///
/// # Errors
/// In words for the terminal, when the expression is not one.
pub(crate) fn permits(expression: &str, allowed: impl Fn(&str) -> bool) -> Result<bool, String> {
    let mut parser = Parser {
        tokens: tokens(expression).into_iter().peekable(),
        allowed,
    };
    let permitted = parser.any()?;
    match parser.tokens.next() {
        None => Ok(permitted),
        Some(token) => Err(format!("unexpected `{token}` in `{expression}`")),
    }
}

/// Reads an expression from left to right and evaluates it on the way; `OR` binds loosest.
struct Parser<A> {
    tokens: Peekable<IntoIter<String>>,
    allowed: A,
}

impl<A: Fn(&str) -> bool> Parser<A> {
    fn any(&mut self) -> Result<bool, String> {
        let mut permitted = self.all()?;
        while self.take("OR") {
            permitted |= self.all()?;
        }
        Ok(permitted)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut permitted = self.one()?;
        while self.take("AND") {
            permitted &= self.one()?;
        }
        Ok(permitted)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let permitted = self.any()?;
            return if self.take(")") {
                Ok(permitted)
            } else {
                Err("missing `)`".into())
            };
        }
        let mut licence = self.name()?;
        if self.take("WITH") {
            licence = format!("{licence} WITH {}", self.name()?);
        }
        Ok((self.allowed)(&licence))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(token) if !["AND", "OR", "WITH", "(", ")"].contains(&token.as_str()) => Ok(token),
            Some(token) => Err(format!("`{token}` where a licence should be")),
            None => Err("an expression that ends too early".into()),
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.tokens.next_if(|next| next == token).is_some()
    }
}

fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(licence: &str) -> bool {
        ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&licence)
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        assert_eq!(permits("GPL-3.0 OR MIT", ours), Ok(true));
        assert_eq!(permits("MIT/GPL-3.0", ours), Ok(true));
        assert_eq!(permits("GPL-3.0 OR LGPL-3.0", ours), Ok(false));
    }

    #[test]
    fn every_conjunct_must_be_allowed() {
        assert_eq!(permits("MIT AND ISC", ours), Ok(true));
        assert_eq!(permits("MIT AND GPL-3.0", ours), Ok(false));
    }

    #[test]
    fn and_binds_tighter_than_or_and_brackets_tighter_than_both() {
        assert_eq!(permits("MIT OR ISC AND GPL-3.0", ours), Ok(true));
        assert_eq!(permits("(MIT OR ISC) AND GPL-3.0", ours), Ok(false));
        assert_eq!(permits("((MIT))", ours), Ok(true));
    }

    #[test]
    fn an_exception_belongs_to_its_licence() {
        assert_eq!(permits("Apache-2.0 WITH LLVM-exception", ours), Ok(true));
        assert_eq!(permits("Apache-2.0", ours), Ok(false));
        assert_eq!(permits("MIT WITH LLVM-exception", ours), Ok(false));
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for text in [
            "", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH",
        ] {
            assert!(permits(text, ours).is_err(), "{text:?}");
        }
    }
}
