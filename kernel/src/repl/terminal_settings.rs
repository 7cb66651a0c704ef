use std::os::fd::RawFd;

/// A terminal's settings at one moment.
pub struct TerminalSettings {
    descriptor: RawFd,
    settings: libc::termios,
}

impl TerminalSettings {
    /// The current settings; `None` if the descriptor is not a terminal.
    pub fn current(descriptor: RawFd) -> Option<Self> {
        // SAFETY: all zeros are a valid `termios`, which the call fills in if there is a terminal.
        unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            (libc::tcgetattr(descriptor, &raw mut settings) == 0).then_some(Self { descriptor, settings })
        }
    }

    /// Restores the settings.
    pub fn restore(&self) {
        // SAFETY: these are settings that the terminal had. A terminal that has closed needs none.
        unsafe { libc::tcsetattr(self.descriptor, libc::TCSANOW, &raw const self.settings) };
    }
}

/// Keeps local modes (`ECHO`, `ICANON`) off until it is dropped.
pub struct ModesOff(TerminalSettings);

impl ModesOff {
    /// Turns the modes off; `None` if there is no terminal.
    pub fn new(descriptor: RawFd, modes: libc::tcflag_t) -> Option<Self> {
        let before = TerminalSettings::current(descriptor)?;
        let mut changed = before.settings;
        changed.c_lflag &= !modes;
        TerminalSettings { descriptor, settings: changed }.restore();
        Some(Self(before))
    }
}

impl Drop for ModesOff {
    fn drop(&mut self) {
        self.0.restore();
    }
}
