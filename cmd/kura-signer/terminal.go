package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hideInput turns a terminal's echo off until restore is called.
func hideInput(terminal *os.File) (restore func(), err error) {
	fd := int(terminal.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("turn the terminal's echo off: %w", err)
	}
	silent := *settings
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return nil, fmt.Errorf("turn the terminal's echo off: %w", err)
	}
	return func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, settings)
		say(terminal, "\n")
	}, nil
}
