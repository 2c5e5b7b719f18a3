package logging

import (
	"fmt"
	"log/syslog"
)

// ParseFacility returns the syslog facility of that name, as in syslog.conf(5):
// "daemon", "user", "local0". The digits "0" to "7" are local0 to local7, as
// with keepalived's -S. "kern" is refused: no process may log as the kernel.
func ParseFacility(name string) (syslog.Priority, error) {
	switch name {
	case "user":
		return syslog.LOG_USER, nil
	case "mail":
		return syslog.LOG_MAIL, nil
	case "daemon":
		return syslog.LOG_DAEMON, nil
	case "auth":
		return syslog.LOG_AUTH, nil
	case "syslog":
		return syslog.LOG_SYSLOG, nil
	case "lpr":
		return syslog.LOG_LPR, nil
	case "news":
		return syslog.LOG_NEWS, nil
	case "uucp":
		return syslog.LOG_UUCP, nil
	case "cron":
		return syslog.LOG_CRON, nil
	case "authpriv":
		return syslog.LOG_AUTHPRIV, nil
	case "ftp":
		return syslog.LOG_FTP, nil
	case "0", "1", "2", "3", "4", "5", "6", "7",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7":
		return syslog.LOG_LOCAL0 + syslog.Priority(name[len(name)-1]-'0')<<3, nil
	}
	return 0, fmt.Errorf("syslog facility %q: want daemon, user, local0 to local7 (or 0 to 7) or another name "+
		"from syslog.conf(5)", name)
}
