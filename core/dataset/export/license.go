package export

import (
	"regexp"
	"strings"
)

// licenses are those that hubs list, by the names that they have there, with
// their SPDX identifiers.
var licenses = func() map[string]string {
	of := make(map[string]string)
	for _, id := range strings.Fields(`Apache-2.0 MIT BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 ISC Zlib NCSA Unlicense WTFPL ECL-2.0 EPL-1.0 EPL-2.0
		EUPL-1.1 EUPL-1.2 AFL-3.0 Artistic-2.0 MPL-2.0 MS-PL OSL-3.0 OFL-1.1 PostgreSQL LPPL-1.3c
		AGPL-3.0 GPL-2.0 GPL-3.0 LGPL-2.1 LGPL-3.0 GFDL-1.3
		CC0-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-BY-NC-2.0 CC-BY-NC-3.0 CC-BY-NC-4.0
		CC-BY-ND-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-2.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0
		ODbL-1.0 ODC-By-1.0 PDDL-1.0 CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 C-UDA-1.0`) {
		of[strings.ToLower(id)] = id
	}
	return of
}()

// hubNames are licenses that hubs do not call by their identifier.
var hubNames = map[string]string{
	"odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl", "gfdl-1.3": "gfdl", "c-uda-1.0": "c-uda",
}

// licensePages are where licenses are published; the rest of the URL names one.
var licensePages = []struct {
	page *regexp.Regexp
	id   string
}{
	{regexp.MustCompile(`^creativecommons\.org/licenses/([a-z-]+)/([0-9.]+)`), "cc-$1-$2"},
	{regexp.MustCompile(`^creativecommons\.org/publicdomain/zero/1\.0`), "cc0-1.0"},
	{regexp.MustCompile(`^(?:spdx\.org/licenses|opensource\.org/licenses?|choosealicense\.com/licenses)/([^/?#]+?)(?:\.html|\.json)?/?$`), "$1"},
	{regexp.MustCompile(`^(?:www\.)?apache\.org/licenses/license-2\.0`), "apache-2.0"},
}

// isURL is what a license is elsewhere than in a list.
var isURL = regexp.MustCompile(`(?i)^https?://(.*)$`)

// licenseID is what a license is called in lists, in lower case; empty: it is
// in none.
func licenseID(license string) string {
	id := strings.ToLower(strings.TrimSpace(license))
	if m := isURL.FindStringSubmatch(id); m != nil {
		id = ""
		for _, l := range licensePages {
			if at := l.page.FindStringSubmatchIndex(m[1]); at != nil {
				id = string(l.page.ExpandString(nil, l.id, m[1], at))
				break
			}
		}
	}
	id = strings.TrimSuffix(strings.TrimSuffix(id, "-only"), "-or-later")
	if licenses[id] == "" {
		return ""
	}
	return id
}

// licenseURL is a license by its page, if it is in a list; else as it is.
func licenseURL(license string) string {
	if id := licenseID(license); id != "" && !isURL.MatchString(license) {
		license = strings.TrimSpace(license)
		return "https://spdx.org/licenses/" + licenses[id] + license[len(id):] + ".html" // -only, -or-later
	}
	return license
}
