//! Colours. Printing through `anstream` takes them away where they don't belong: in files, in
//! pipes, and where `NO_COLOR` is set.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Effects, Style};

/// A text with a style.
pub struct Styled<T> {
    text: T,
    style: Style,
}

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = self.style;
        write!(f, "{style}")?;
        self.text.fmt(f)?;
        write!(f, "{style:#}")
    }
}

fn coloured<T: Display>(text: T, colour: AnsiColor) -> Styled<T> {
    let style = Style::new().fg_color(Some(colour.into()));
    Styled { text, style }
}

/// What was kept.
pub fn kept<T: Display>(text: T) -> Styled<T> {
    coloured(text, AnsiColor::Green)
}

/// What was undone.
pub fn undone<T: Display>(text: T) -> Styled<T> {
    coloured(text, AnsiColor::Yellow)
}

/// What is wrong.
pub fn wrong<T: Display>(text: T) -> Styled<T> {
    coloured(text, AnsiColor::Red)
}

/// A heading.
pub fn heading<T: Display>(text: T) -> Styled<T> {
    let style = Style::new().effects(Effects::BOLD);
    Styled { text, style }
}
