"""CoCart's namespaces: `preview` renders decimal strings, `v2` minor-unit strings, of one core."""
