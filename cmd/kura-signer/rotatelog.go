package main

import (
	"context"
	"errors"
	"flag"

	"kura/signer/rpc"
)

var errUnfinished = errors.New("the old log key is still in the token")

// rotateLogKey asks the running signer to do what can be done now to change the log key. It is run again until the old
// key is destroyed: after --begin, when the directors' proposal is in force, and whenever something broke off.
func rotateLogKey(ctx context.Context, in *invocation) error {
	var configPath string
	var begin, asJSON bool
	err := in.flags("rotate log-key", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.BoolVar(&begin, "begin", false, "make the next key, if there is none yet")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config")
	if err != nil {
		return err
	}
	admin, err := in.admin(configPath)
	if err != nil {
		return err
	}
	defer admin.Close()
	r, err := admin.RotateLogKey(ctx, begin)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(in.stdout, r)
	}
	switch r.State {
	case rpc.LogKeyNone:
		say(in.stdout, "log key    %s\nNo change is under way. --begin makes the next key.\n", r.Current)
	case rpc.LogKeyWaits:
		say(in.stdout, "log key    %s\nnext       %s\n"+
			"The next key is in the token and signs nothing yet. A director proposes it with\n\n    kura log propose-key %s --reason TEXT\n\n"+
			"and others approve. When the time-lock is over, run this again.\n", r.Current, r.Next, r.Next)
	default:
		say(in.stdout, "log key    %s, since entry %d\n", r.Current, r.Seq)
		for _, old := range r.Destroyed {
			say(in.stdout, "destroyed  %s\n", old)
		}
		if r.State != rpc.LogKeyDone {
			say(in.stdout, "Not finished: %s. Run this again.\n", r.Waits)
			return exit(exitFailed, errUnfinished)
		}
	}
	return nil
}
