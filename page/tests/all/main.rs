//! The page in a real browser. `./scripts/page.sh --build` builds what it consists of.

mod first_visit;
mod for_everybody;
mod hostile;
mod orders;
mod scenes;
mod sharing;
mod site;
