"""What runs the steps: the plan, processes, cases, the report. What is tried is in steps/."""
