package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"

	"kura/signer"
)

const (
	maxAlarms    = 256 // that wait for the command; beyond it they are only in the journal and the log
	alarmTimeout = 30 * time.Second
	maxAlarmLine = 1 << 20
)

// alarmFD names the descriptor that leads to the relay, in the environment of the confined process.
const alarmFD = "KURA_ALARM_FD"

// The operator's alarm command runs outside the confinement: a relay, started before it, calls the command for each
// line on its standard input and ends with the signer. It gets nothing but alarms.

// startRelay starts the relay and leaves a descriptor to it, and the PIN's, for the image that confine executes. The relay
// inherits neither.
func startRelay(c *Config) error {
	if len(c.AlarmCommand) == 0 || os.Getenv(alarmFD) != "" {
		return nil
	}
	if c.Token.PINFD != nil {
		if err := handedOver(int(*c.Token.PINFD)); err != nil {
			return fmt.Errorf("token.pin_fd: %w", err)
		}
	}
	if err := inheritNothing(); err != nil {
		return fmt.Errorf("start the alarm relay: %w", err)
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("start the alarm relay: %w", err)
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the alarm relay: %w", err)
	}
	in := os.NewFile(uintptr(ends[0]), "alarms")
	// No context: the relay outlives this image and ends with its standard input.
	cmd := exec.Command(binary, append([]string{"alarm", "relay"}, c.AlarmCommand...)...) //nolint:gosec,noctx // this very program
	cmd.Stdin, cmd.Stderr = in, os.Stderr
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the alarm relay: %w", err)
	}
	keep := []int{ends[1]}
	if c.Token.PINFD != nil {
		keep = append(keep, int(*c.Token.PINFD))
	}
	for _, fd := range keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keep descriptor %d for the confined signer: %w", fd, err)
		}
	}
	return errors.Join(in.Close(), os.Setenv(alarmFD, strconv.Itoa(ends[1])))
}

// inheritNothing keeps every descriptor but the standard three from programs that are started from now on.
func inheritNothing() error {
	return unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}

// relay is the relay's whole life.
func relay(_ context.Context, in *invocation) error {
	if len(in.args) == 0 {
		return exit(exitUsage, errors.New("kura-signer serve starts this command, nobody else"))
	}
	if err := inheritNothing(); err != nil {
		return err
	}
	lines := bufio.NewScanner(in.stdin)
	lines.Buffer(nil, maxAlarmLine)
	for lines.Scan() {
		if err := callAlarm(in.args, lines.Bytes()); err != nil {
			say(in.stderr, "kura-signer: the alarm command %s failed: %v\n", in.args[0], err)
		}
	}
	return lines.Err()
}

func callAlarm(argv []string, line []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), alarmTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the operator's own, from the configuration
	cmd.Stdin = bytes.NewReader(append(bytes.Clone(line), '\n'))
	return cmd.Run()
}

// alarms hands alarms to the relay, one JSON object a line.
type alarms struct {
	log     *slog.Logger
	pipe    *os.File // nil: there is no alarm command
	waiting chan signer.Alarm
	ended   sync.WaitGroup
}

func newAlarms(log *slog.Logger) *alarms {
	a := &alarms{log: log, waiting: make(chan signer.Alarm, maxAlarms)}
	if fd, err := strconv.Atoi(os.Getenv(alarmFD)); err == nil {
		unix.CloseOnExec(fd)
		a.pipe = os.NewFile(uintptr(fd), "alarm relay")
		a.ended.Go(a.run)
	}
	return a
}

// raise never blocks.
func (a *alarms) raise(alarm signer.Alarm) {
	if a.pipe == nil {
		return
	}
	select {
	case a.waiting <- alarm:
	default:
		a.log.Error("too many alarms wait for the alarm command", "code", alarm.Code)
	}
}

func (a *alarms) run() {
	for alarm := range a.waiting {
		line, err := json.Marshal(alarm, json.Deterministic(true))
		if err == nil {
			_, err = a.pipe.Write(append(line, '\n'))
		}
		if err != nil {
			a.log.Error("an alarm did not reach the alarm command", "code", alarm.Code, "error", err)
		}
	}
}

// close hands over what waits and lets the relay end.
func (a *alarms) close() {
	close(a.waiting)
	a.ended.Wait()
	if a.pipe != nil {
		_ = a.pipe.Close() // everything is written
	}
}
