//! The lesson `loops`.

use crate::support::{assert_questions_can_be_answered, observe, text};
use observe::lessons::loops::LESSON;

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["loops"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn every_question_has_its_answer_among_the_choices() {
    assert_questions_can_be_answered(&LESSON);
}
