package embedded

import "reflect"

// WriteAt is where bbolt keeps the function by which it writes to the file: a test takes its place to let writes fail.
func (s *Store) WriteAt() *func(b []byte, offset int64) (int, error) {
	field := reflect.ValueOf(s.db).Elem().FieldByName("ops").FieldByName("writeAt")
	return (*func(b []byte, offset int64) (int, error))(field.Addr().UnsafePointer())
}
