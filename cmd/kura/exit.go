package main

import (
	"errors"
	"fmt"
)

// Exit codes, stable: scripts rely on them. docs/cli.md lists them.
const (
	exitOK          = 0 // done; for verify: every check held
	exitFailed      = 1 // a check failed, or the input was bad
	exitUsage       = 2 // the command line itself was wrong
	exitDenied      = 3 // the signer denied or refused, with a receipt
	exitHeld        = 4 // held: waits for approval, time, a limit or an unfreeze
	exitConflict    = 5 // the same id with another text
	exitUnavailable = 6 // no answer, or none that can be proven: the outcome is unknown, ask again with the same text
	exitNotProven   = 7 // what the server said does not agree with the pinned genesis or the last checkpoint
)

// exitError carries an exit code with an error. A quiet one has been reported
// already.
type exitError struct {
	code  int
	err   error
	quiet bool
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func withExit(code int, err error) error { return &exitError{code: code, err: err} }

// reported is for a failure that the command has already shown in its output.
func reported(code int) error {
	return &exitError{code: code, err: errors.New("failed"), quiet: true}
}

func usageError(err error) error { return withExit(exitUsage, err) }

func usagef(format string, args ...any) error { return usageError(fmt.Errorf(format, args...)) }

func exitCode(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailed
}
