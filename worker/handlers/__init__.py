"""What is done with a job: flat pipelines of named steps over the ports."""
