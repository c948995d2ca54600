"""Mail: letters on their way out, by SMTP, or to the console of a demo."""
