//! The lesson `awaits`.

use crate::support::{assert_questions_can_be_answered, observe, text};
use observe::lessons::awaits::LESSON;

#[test]
fn the_lesson_is_as_predicted() {
    let output = observe(&["awaits"]);
    let printed = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{printed}{}",
        text(&output.stderr)
    );
    assert!(printed.ends_with("\n10 of 10 as predicted.\n"), "{printed}");
}

#[test]
fn every_question_has_the_right_answer_among_its_choices() {
    assert_questions_can_be_answered(&LESSON);
}
