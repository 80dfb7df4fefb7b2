//! Asks the reader to predict.

use std::io::{BufRead, Write};

use anyhow::{Result, bail};

use crate::lesson::{Finding, Question};
use crate::style;

/// Asks a question until it is answered with one of its choices. Returns the choice.
///
/// # Errors
///
/// If there is nobody to answer.
pub fn ask<'a>(
    question: &'a Question,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> Result<&'a str> {
    writeln!(output, "{}", question.ask)?;
    for (number, choice) in (1..).zip(&question.choices) {
        writeln!(output, "  {number}. {choice}")?;
    }
    loop {
        write!(output, "Your prediction (1-{}): ", question.choices.len())?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            bail!("no prediction was given: --predict reads the number of one from the input");
        }
        let number: Option<usize> = line.trim().parse().ok();
        let choice = number.and_then(|number| question.choices.get(number.checked_sub(1)?));
        match choice {
            Some(choice) => return Ok(choice),
            None => writeln!(output, "One of the numbers, please.")?,
        }
    }
}

/// What to say of a prediction when the experiment was done.
pub fn judge(question: &Question, choice: &str, finding: &Finding) -> String {
    let asked = finding.facts.iter().find(|fact| fact.what == question.fact);
    match asked {
        None => "This network can't show it.".to_owned(),
        Some(fact) if fact.observed == choice => {
            style::kept(format!("Right: {choice}.")).to_string()
        }
        Some(fact) => {
            let verdict = style::wrong(format!("It is {}, not {choice}.", fact.observed));
            format!("{verdict} {}", question.why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::{Side, fact};

    fn question() -> Question {
        Question {
            ask: "How much?".to_owned(),
            choices: vec!["1".to_owned(), "2".to_owned()],
            fact: "sum",
            why: "Because.",
        }
    }

    fn finding() -> Finding {
        Finding {
            lesson: "lesson",
            method: "method",
            what: "what",
            side: Side::Rule,
            facts: vec![fact("sum", 2, 2)],
            as_predicted: Some(true),
        }
    }

    #[test]
    fn asks_until_one_of_the_choices_is_given() {
        let mut output = Vec::new();
        let question = question();
        let choice = ask(&question, &mut &b"\n0\n3\nx\n 2 \n"[..], &mut output);
        assert_eq!(choice.unwrap(), "2");
        let printed = String::from_utf8(output).unwrap();
        assert_eq!(printed.matches("One of the numbers, please.").count(), 4);
    }

    #[test]
    fn says_so_if_nobody_answers() {
        let error = ask(&question(), &mut &b""[..], &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("no prediction was given"));
    }

    #[test]
    fn says_why_only_where_the_reader_was_wrong() {
        assert!(!judge(&question(), "2", &finding()).contains("Because."));
        assert!(judge(&question(), "1", &finding()).ends_with("Because."));
    }
}
