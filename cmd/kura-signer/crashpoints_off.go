//go:build !crashpoints

package main

import (
	"kura/signer"
	"kura/signer/rpc"
)

// instrument is for builds with the tag crashpoints, which tests make; in every other build it does nothing.
func instrument(c signer.Config) signer.Config { return c }

func gatewayOf(s *signer.Signer) rpc.Gateway { return s }
