//! Rows of figures, printed as a Markdown table.

/// What a goal says of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At least: gate, aim.
    AtLeast(f64, f64),
    /// At most: gate, aim.
    AtMost(f64, f64),
    /// For information.
    None,
}

struct Row {
    what: String,
    figure: String,
    verdict: &'static str,
    goal: String,
}

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a figure; `shown` is how it is printed, `value` is what the goal is held against.
    pub(crate) fn add(&mut self, what: impl Into<String>, shown: String, value: f64, goal: Goal) {
        let (verdict, goal) = match goal {
            Goal::AtLeast(gate, aim) => {
                let verdict = grade(value >= gate, value >= aim);
                (verdict, format!("at least {gate} / {aim}"))
            }
            Goal::AtMost(gate, aim) => {
                let verdict = grade(value <= gate, value <= aim);
                (verdict, format!("at most {gate} / {aim}"))
            }
            Goal::None => ("", String::new()),
        };
        let what = what.into();
        progress(&format!("{what}: {shown} {verdict}"));
        self.rows.push(Row {
            what,
            figure: shown,
            verdict,
            goal,
        });
    }

    /// Prints the table.
    #[expect(clippy::print_stdout, reason = "the report is the program's output")]
    pub(crate) fn print(&self) {
        println!("| what | figure | gate / aim | |\n|---|---|---|---|");
        for row in &self.rows {
            println!(
                "| {} | {} | {} | {} |",
                row.what, row.figure, row.goal, row.verdict
            );
        }
    }
}

fn grade(gate: bool, aim: bool) -> &'static str {
    match (gate, aim) {
        (_, true) => "aim reached",
        (true, false) => "gate held",
        (false, false) => "GATE MISSED",
    }
}

/// A line while it runs.
#[expect(clippy::print_stderr, reason = "progress of a long program")]
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

/// A quantile of values, which are sorted on the way; zero of none.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let at = ((values.len().saturating_sub(1)) as f64 * q).round() as usize;
    values.get(at).copied().unwrap_or_default()
}
