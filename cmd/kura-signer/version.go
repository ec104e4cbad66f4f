package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

// version is what the journal and `version` say; it comes from the build.
var version = func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	if v == "" {
		return "unknown"
	}
	return v
}()

func printVersion(_ context.Context, in *invocation) error {
	_, err := fmt.Fprintf(in.stdout, "kura-signer %s\n", version)
	return err
}
