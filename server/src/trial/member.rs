//! One of the members: its process, from its start to its end, and again.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use super::{NAMES, output, say};

/// How to start a member.
pub(super) struct Recipe {
    pub(super) number: usize,
    pub(super) command: Command,
    /// Where it serves clients.
    pub(super) url: String,
    pub(super) log: PathBuf,
    /// Whether all of its log is shown.
    pub(super) show: bool,
}

pub(super) struct Member {
    recipe: Recipe,
    child: Option<Child>,
    /// It was us.
    killed: bool,
    /// To be started as soon as its process is gone.
    again: bool,
}

impl Member {
    /// # Errors
    /// When there is no process to be had, or no file for its log.
    pub(super) fn start(recipe: Recipe) -> io::Result<Member> {
        let mut member = Member { recipe, child: None, killed: false, again: false };
        member.launch()?;
        Ok(member)
    }

    fn launch(&mut self) -> io::Result<()> {
        let Recipe { number, command, log, show, .. } = &mut self.recipe;
        let child = command.spawn()?;
        let name = NAMES.get(*number).copied().unwrap_or_default();
        (self.killed, self.again) = (false, false);
        let child = self.child.insert(child);
        if let Some(pipe) = child.stdout.take() {
            output::follow(name, pipe, log, *show)?;
        }
        if let Some(pipe) = child.stderr.take() {
            output::follow(name, pipe, log, *show)?;
        }
        Ok(())
    }

    pub(super) fn introduce(&self) {
        if let Some(child) = &self.child {
            say(&format!("{} serves {}, process {}", self.name(), self.recipe.url, child.id()));
        }
    }

    fn name(&self) -> &'static str {
        NAMES.get(self.recipe.number).copied().unwrap_or_default()
    }

    /// Whether its process runs and is to go on.
    pub(super) fn runs(&self) -> bool {
        self.child.is_some() && !self.killed
    }

    /// Whether it has ended by itself.
    pub(super) fn has_left(&self) -> bool {
        self.child.is_none() && !self.killed
    }

    /// Whether there is a process.
    pub(super) fn is_there(&self) -> bool {
        self.child.is_some()
    }

    /// Kills it, or starts it again: at once, or when the process that was killed a moment ago is gone.
    pub(super) fn toggle(&mut self) -> io::Result<()> {
        match &mut self.child {
            Some(_) if self.killed => self.again = !self.again,
            Some(child) => {
                self.killed = true;
                child.kill()?;
            }
            None => {
                self.launch()?;
                self.introduce();
            }
        }
        Ok(())
    }

    /// Notices the end of its process.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().transpose()) else { return Ok(()) };
        self.child = None;
        say(&format!("{} has ended{}", self.name(), status.map_or_else(|e| format!(": {e}"), |s| self.describe(s))));
        if std::mem::take(&mut self.again) {
            self.launch()?;
            self.introduce();
        }
        Ok(())
    }

    fn describe(&self, status: ExitStatus) -> String {
        match status.signal() {
            Some(9) => ": killed".to_owned(),
            _ if status.success() => String::new(),
            _ => format!(": {status}; see {}", self.recipe.log.display()),
        }
    }

    pub(super) fn ask_to_end(&mut self) {
        self.again = false;
        let pid = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Member {
    /// Nobody else would end it.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
