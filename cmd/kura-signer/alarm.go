package main

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"kura/signer"
)

const (
	maxAlarms    = 256 // that wait for the command; beyond it they are only in the journal and the log
	alarmTimeout = 30 * time.Second
)

// alarmCommand tells people of alarms by a program of the operator's, one at a time.
type alarmCommand struct {
	argv    []string
	log     *slog.Logger
	waiting chan signer.Alarm
	ended   sync.WaitGroup
}

func newAlarmCommand(argv []string, log *slog.Logger) *alarmCommand {
	a := &alarmCommand{argv: argv, log: log, waiting: make(chan signer.Alarm, maxAlarms)}
	if len(argv) > 0 {
		a.ended.Go(a.run)
	}
	return a
}

// raise never blocks.
func (a *alarmCommand) raise(alarm signer.Alarm) {
	if len(a.argv) == 0 {
		return
	}
	select {
	case a.waiting <- alarm:
	default:
		a.log.Error("too many alarms wait for the alarm command", "code", alarm.Code)
	}
}

func (a *alarmCommand) run() {
	for alarm := range a.waiting {
		if err := a.call(alarm); err != nil {
			a.log.Error("the alarm command failed", "command", a.argv[0], "code", alarm.Code, "error", err)
		}
	}
}

func (a *alarmCommand) call(alarm signer.Alarm) error {
	text, err := json.Marshal(alarm, json.Deterministic(true))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), alarmTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.argv[0], a.argv[1:]...)
	cmd.Stdin = bytes.NewReader(append(text, '\n'))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd.Run()
}

// close lets what waits be told.
func (a *alarmCommand) close() {
	close(a.waiting)
	a.ended.Wait()
}
