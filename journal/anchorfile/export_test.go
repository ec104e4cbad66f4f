package anchorfile

import "os"

// SetSync replaces what a Save syncs with.
func (f *File) SetSync(sync func(*os.File) error) { f.sync = sync }
