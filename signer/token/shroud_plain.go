//go:build !goexperiment.runtimesecret

package token

// shroudErases tells whether this build erases what shroud's function leaves behind.
const shroudErases = false

// shroud runs pure Go arithmetic on a secret. This toolchain was not asked for
// runtime/secret (GOEXPERIMENT=runtimesecret), so registers and stack keep what
// they keep until they are used again.
func shroud(arithmetic func()) { arithmetic() }
