use std::os::fd::RawFd;

/// A terminal's settings at some moment.
pub struct Settings {
    descriptor: RawFd,
    settings: libc::termios,
}

impl Settings {
    /// Those of now; `None` if the descriptor is of no terminal.
    pub fn now(descriptor: RawFd) -> Option<Self> {
        // SAFETY: all zeros are a valid `termios`, which the call fills in if there is a terminal.
        unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            (libc::tcgetattr(descriptor, &raw mut settings) == 0).then_some(Self { descriptor, settings })
        }
    }

    /// Makes them hold again.
    pub fn restore(&self) {
        // SAFETY: these are settings that the terminal had. One that is gone needs none.
        unsafe { libc::tcsetattr(self.descriptor, libc::TCSANOW, &raw const self.settings) };
    }
}

/// Local modes (`ECHO`, `ICANON`) switched off until this is dropped.
pub struct Without(Settings);

impl Without {
    /// Switches them off; `None` if there is no terminal.
    pub fn modes(descriptor: RawFd, modes: libc::tcflag_t) -> Option<Self> {
        let before = Settings::now(descriptor)?;
        let mut changed = before.settings;
        changed.c_lflag &= !modes;
        Settings { descriptor, settings: changed }.restore();
        Some(Self(before))
    }
}

impl Drop for Without {
    fn drop(&mut self) {
        self.0.restore();
    }
}
