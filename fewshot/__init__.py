"""The course library: data, learners and experiments for few-shot learning."""
