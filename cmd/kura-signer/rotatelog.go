package main

import (
	"context"
	"errors"
	"flag"

	"kura/signer/rpc"
	"kura/statement"
)

var errUnfinished = errors.New("the old log key is still in the token")

// rotateLogKey asks the running signer to do what can be done now to change the log key. It is run again after --begin,
// when the directors' time-lock is over, and whenever something broke off; with --destroy-old at the end.
func rotateLogKey(ctx context.Context, in *invocation) error {
	var configPath string
	var begin, destroyOld, asJSON bool
	err := in.flags("rotate log-key", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.BoolVar(&begin, "begin", false, "make the next key, if there is none yet")
		f.BoolVar(&destroyOld, "destroy-old", false, "destroy the key that was handed over from, once every anchor and the witnesses hold a head of the new one")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config")
	if err != nil {
		return err
	}
	step := rpc.LogKeyGoOn
	switch {
	case begin && destroyOld:
		return exit(exitUsage, errors.New("--begin and --destroy-old are the first step and the last: give one of them"))
	case begin:
		step = rpc.LogKeyBegin
	case destroyOld:
		step = rpc.LogKeyDestroyOld
	}
	admin, err := in.admin(configPath)
	if err != nil {
		return err
	}
	defer admin.Close()
	r, err := admin.RotateLogKey(ctx, step)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(in.stdout, r)
	} else {
		in.printRotation(r, destroyOld)
	}
	if err == nil && r.Waits != "" {
		err = exit(exitFailed, errUnfinished)
	}
	return err
}

// printRotation says how far the change has come, and what is to be done next.
func (in *invocation) printRotation(r rpc.LogKeyRotation, destroyOld bool) {
	switch r.State {
	case rpc.LogKeyNone:
		say(in.stdout, "log key    %s\nNo change is under way. --begin makes the next key.\n", r.Current)
	case rpc.LogKeyWaits:
		say(in.stdout, "log key    %s\nnext       %s\n", r.Current, r.Next)
		switch {
		case destroyOld:
			say(in.stdout, "Nothing was handed over yet, so no log key is an old one.\n")
		case r.From != 0:
			say(in.stdout, "The directors have permitted it, from %s on: run this again then.\n", statement.FormatTime(r.From))
		default:
			say(in.stdout, "The next key is in the token and signs nothing yet. A director proposes it with\n\n"+
				"    kura log propose-key %s --reason TEXT\n\n"+
				"and others approve. When the time-lock is over, run this again.\n", r.Next)
		}
	default:
		say(in.stdout, "log key    %s, since entry %d\n", r.Current, r.Seq)
		for _, old := range r.Destroyed {
			say(in.stdout, "destroyed  %s\n", old)
		}
		switch {
		case r.Waits != "":
			say(in.stdout, "Not destroyed: %s. Run this again.\n", r.Waits)
		case r.State == rpc.LogKeyChanged:
			say(in.stdout, "The old key is still in the token. Nothing brings it back: destroy it with --destroy-old\n"+
				"when every signer goes on under the new one, and the database's replicas have entry %d.\n", r.Seq)
		}
	}
}
