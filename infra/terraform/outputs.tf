output "alarm_topic" {
  description = "What template.yaml calls AlarmTopic."
  value       = aws_sns_topic.alarms.arn
}

output "secret" {
  description = "What template.yaml calls Secret: still empty."
  value       = aws_secretsmanager_secret.portal.name
}

output "vercel_role" {
  description = "The role of the functions on Vercel."
  value       = aws_iam_role.vercel.arn
}
